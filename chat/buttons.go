package chat

import (
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
)

// opensForm tells which presses open a modal. It decides how early the modal
// opens, while the press's trigger lives, and never what somebody may do.
func opensForm(action string) bool {
	switch action {
	case commands.ActionApprove, commands.ActionDeny, commands.ActionReveal:
		return true
	}
	return false
}

// actionID names a button. Buttons of one block need different names, so that
// later ones are numbered.
func actionID(b commands.Button, nth int) string {
	if nth > 0 {
		return b.Action + ":" + strconv.Itoa(nth)
	}
	return b.Action
}

// actionOf is the reverse of actionID.
func actionOf(id string) string {
	action, _, _ := strings.Cut(id, ":")
	return action
}

func (p *canvas) buttons(buttons []commands.Button) {
	for len(buttons) > 0 {
		n := min(len(buttons), maxButtons)
		var elements []slack.BlockElement
		seen := map[string]int{}
		for _, b := range buttons[:n] {
			label := strings.TrimSpace(p.plain(b.Label))
			if units(b.Value) > maxValue || label == "" {
				p.cut = true // a shortened value would mean something else
				continue
			}
			id := actionID(b, seen[b.Action])
			seen[b.Action]++
			elements = append(elements, &slack.ButtonBlockElement{
				Type: slack.METButton, Text: words(label, maxLabel), ActionID: id, Value: b.Value,
				Style: slack.Style(b.Style), Confirm: p.confirm(b),
			})
		}
		if len(elements) > 0 {
			p.add(slack.NewActionBlock("", elements...))
		}
		buttons = buttons[n:]
	}
}

func (p *canvas) confirm(b commands.Button) *slack.ConfirmationBlockObject {
	if b.Confirm == nil {
		return nil
	}
	return &slack.ConfirmationBlockObject{
		Title:   words(p.plain(change.T("chat.confirm")), 100),
		Text:    words(p.plain(*b.Confirm), maxConfirmText),
		Confirm: words(p.plain(change.T("chat.confirm.yes")), maxConfirmLabel),
		Deny:    words(p.plain(change.T("chat.confirm.no")), maxConfirmLabel),
	}
}

// shareButton offers to show the answer to cmd to everyone.
func shareButton(cmd commands.Command) commands.Part {
	return commands.Part{Buttons: []commands.Button{{
		Action: commands.ActionShare, Value: commands.ShareValue(cmd), Label: change.T("chat.share"),
	}}}
}
