package chat

import (
	"context"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
)

// web is the Web API as chat uses it.
type web struct {
	api  *slack.Client
	http *http.Client
}

func newWeb(o Options) *web {
	client := &http.Client{Transport: transport(o.Dial), Timeout: callTimeout}
	return &web{api: slack.New(o.BotToken.Expose(), apiOptions(o, client)...), http: client}
}

// apiOptions are those of every client of the library.
func apiOptions(o Options, client *http.Client) []slack.Option {
	options := []slack.Option{
		slack.OptionAppLevelToken(o.AppToken.Expose()),
		slack.OptionHTTPClient(client),
		slack.OptionLog(log.New(io.Discard, "", 0)), // its lines may hold tickets
	}
	if o.API != "" {
		options = append(options, slack.OptionAPIURL(o.API))
	}
	return options
}

func (w *web) whoAmI(ctx context.Context) (team, user string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	a, err := w.api.AuthTestContext(ctx)
	if err != nil {
		return "", "", foreign("auth.test", err)
	}
	return a.TeamID, a.UserID, nil
}

// options are m as the library wants it. key is that of the notice; empty: none.
func (m message) options(key string) []slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(m.text, false), slack.MsgOptionBlocks(m.blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if key != "" {
		options = append(options, slack.MsgOptionMetadata(slack.SlackMetadata{
			EventType: noticeEvent, EventPayload: map[string]any{"key": key},
		}))
	}
	return options
}

const noticeEvent = "vpnbot_notice"

// rendering is one reply for one reader, in three degrees of simplicity.
type rendering func(degree int) message

// degrees is how many there are: all blocks, sections only, text only.
const degrees = 3

func (v voice) rendering(r commands.Reply) rendering {
	return func(degree int) message {
		switch degree {
		case 0:
			return v.message(r)
		case 1:
			return v.simple(r)
		}
		return v.bare(r)
	}
}

// accepted tries send with ever simpler messages while Slack finds the blocks
// invalid.
func accepted(r rendering, send func(message) error) error {
	var err error
	for degree := range degrees {
		if err = send(r(degree)); !strings.HasPrefix(code(err), "invalid_blocks") && code(err) != "msg_blocks_too_long" {
			return err
		}
	}
	return err
}

// post posts a message, below the message thread when that is not empty.
func (w *web) post(ctx context.Context, channel, thread, key string, r rendering) (ref change.MessageRef, err error) {
	err = accepted(r, func(m message) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		options := m.options(key)
		if thread != "" {
			options = append(options, slack.MsgOptionTS(thread))
		}
		ch, ts, err := w.api.PostMessageContext(ctx, channel, options...)
		ref = change.MessageRef{Channel: ch, TS: ts}
		return foreign("chat.postMessage", err)
	})
	return ref, err
}

func (w *web) update(ctx context.Context, at change.MessageRef, key string, r rendering) error {
	return accepted(r, func(m message) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_, _, _, err := w.api.UpdateMessageContext(ctx, at.Channel, at.TS, m.options(key)...)
		return foreign("chat.update", err)
	})
}

func (w *web) ephemeral(ctx context.Context, channel, user string, r rendering) error {
	return accepted(r, func(m message) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		_, err := w.api.PostEphemeralContext(ctx, channel, user, m.options("")...)
		return foreign("chat.postEphemeral", err)
	})
}

// respond answers by a response_url, replacing the message that was pressed on
// when replace is set.
func (w *web) respond(ctx context.Context, responseURL string, replace bool, r rendering) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m := r(0)
	blocks := slack.Blocks{BlockSet: m.blocks}
	err := slack.PostWebhookCustomHTTPContext(ctx, responseURL, w.http, &slack.WebhookMessage{
		Text: m.text, Blocks: &blocks, ResponseType: slack.ResponseTypeEphemeral, ReplaceOriginal: replace,
	})
	return foreign("response_url", err)
}

// conversation opens the direct conversation with user.
func (w *web) conversation(ctx context.Context, user string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ch, _, _, err := w.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return "", foreign("conversations.open", err)
	}
	return ch.ID, nil
}

// extShared tells whether people of another organisation read channel.
func (w *web) extShared(ctx context.Context, channel string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ch, err := w.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
	if err != nil {
		return false, foreign("conversations.info", err)
	}
	return ch.IsExtShared, nil
}

// How far back find looks.
const (
	findPages = 5
	findPage  = 200
)

// find looks for the message with mark among the newest of a channel, or of a
// thread.
func (w *web) find(ctx context.Context, channel, thread, mark string) (change.MessageRef, bool, error) {
	cursor := ""
	for range findPages {
		list, next, err := w.page(ctx, channel, thread, cursor)
		if err != nil {
			return change.MessageRef{}, false, err
		}
		for _, m := range list {
			if m.Metadata.EventType == noticeEvent && m.Metadata.EventPayload["key"] == mark {
				return change.MessageRef{Channel: channel, TS: m.Timestamp}, true, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return change.MessageRef{}, false, nil
}

func (w *web) page(ctx context.Context, channel, thread, cursor string) (list []slack.Message, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if thread != "" {
		list, _, next, err = w.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: thread, Cursor: cursor, Limit: findPage, IncludeAllMetadata: true,
		})
		return list, next, foreign("conversations.replies", err)
	}
	h, err := w.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: channel, Cursor: cursor, Limit: findPage, IncludeAllMetadata: true,
	})
	if err != nil {
		return nil, "", foreign("conversations.history", err)
	}
	return h.Messages, h.ResponseMetaData.NextCursor, nil
}

func (w *web) openView(ctx context.Context, trigger string, v slack.ModalViewRequest) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := w.api.OpenViewContext(ctx, trigger, v)
	if err != nil {
		return "", foreign("views.open", err)
	}
	return r.ID, nil
}

func (w *web) updateView(ctx context.Context, id string, v slack.ModalViewRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := w.api.UpdateViewContext(ctx, v, "", "", id)
	return foreign("views.update", err)
}
