package chat

import (
	"strings"

	"github.com/slack-go/slack"

	"vpnbot/change"
	"vpnbot/commands"
)

// table becomes Slack's own table. Modals have none and messages only one, so
// elsewhere it is text in columns.
func (p *canvas) table(t commands.Table) {
	rows := [][]string{p.cells(t.Head)}
	for _, r := range t.Rows {
		rows = append(rows, p.cells(r))
	}
	switch t.Layout {
	case commands.Record:
		p.record(rows[1:])
		return
	case commands.Lines:
		p.lines(t.Rows)
		return
	}
	if p.place == inModal || p.tables > 0 || len(t.Head) > maxTableColumns {
		p.code(strings.Join(commands.Grid(rows, escape), "\n"))
		return
	}
	p.tables++
	block := slack.NewTableBlock("")
	room, shown := maxTableText, 0
	for n, row := range rows {
		need := 0
		for _, cell := range row {
			need += units(cell)
		}
		if need > room || shown == maxTableRows {
			break
		}
		room, shown = room-need, shown+1
		cells := make([]slack.TableCell, len(row))
		for i, cell := range row {
			cells[i] = slack.NewTableRawTextCell(cell)
			if user, ok := p.nameless(t, n, i); ok {
				cells[i] = slack.NewTableRichTextCell(slack.NewRichTextSection(slack.NewRichTextSectionUserElement(user, nil)))
			}
		}
		block.AddRow(cells...)
	}
	if shown > 0 {
		p.add(block)
	}
	if left := len(rows) - shown; left > 0 {
		p.cut = true
		p.context(p.rich(change.T("common.more", "count", left)))
	}
}

// nameless tells whether a cell is somebody whom only Slack can name: a user
// without an entry in the configuration. Row 0 is the head.
func (p *canvas) nameless(t commands.Table, row, column int) (user string, ok bool) {
	if row == 0 {
		return "", false
	}
	cell := t.Rows[row-1][column]
	id := cell.Args["value"].Person
	if cell.ID != "common.value" || id == "" {
		return "", false
	}
	if person, ok := p.c.o.People.Person(id); ok && person.Name != "" {
		return "", false
	}
	return p.c.slackOf(id)
}

// lines shows rows as lines of running text.
func (p *canvas) lines(rows [][]change.Text) {
	lines := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = p.rich(cell)
			if j == 1 {
				cells[j] = "*" + strings.ReplaceAll(cells[j], "*", "") + "*"
			}
		}
		lines[i] = strings.Join(cells, " ")
	}
	p.section(strings.Join(lines, "\n"))
}

// record shows rows as they were written, one below the other.
func (p *canvas) record(rows [][]string) {
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = escape(strings.Join(row, " "))
	}
	p.code(strings.Join(lines, "\n"))
}

// maxCell bounds one cell, so that one long note does not crowd out the table.
const maxCell = 400

// cells says one row. A cell must not be empty.
func (p *canvas) cells(texts []change.Text) []string {
	cells := make([]string, len(texts))
	for i, t := range texts {
		said := strings.TrimSpace(strings.ReplaceAll(p.plain(t), "`", ""))
		if cells[i] = cut(said, maxCell); cells[i] == "" {
			cells[i] = "–"
		}
	}
	return cells
}
