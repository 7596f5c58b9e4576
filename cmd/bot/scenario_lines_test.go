//go:build !nodemo

package main

import (
	"errors"

	"vpnbot/ros/rossim"
)

// line does something to the line between two sites, or to who talks over it.
func (p *scene) line(neg bool, args []string) {
	const usage = "line SITE SITE cut|mended|answers-lost|answers-back|quiet"
	p.need(args, 3, usage)
	near, far := p.office(args[0]), p.office(args[1])
	if neg || near == nil || far == nil {
		p.ts.Fatalf("usage: %s", usage)
	}
	var err error
	switch args[2] {
	case "cut":
		err = p.internet.Cut(near.Router, far.Router)
	case "mended":
		err = p.internet.Mend(near.Router, far.Router)
	case "answers-lost":
		err = p.internet.Block(far.Router, near.Router, rossim.ESP)
	case "answers-back":
		err = p.internet.Unblock(far.Router, near.Router, rossim.ESP)
	case "quiet":
		hangUp, ok := p.calls[args[0]+"-"+args[1]]
		if !ok {
			err = errors.New("nobody talks there")
			break
		}
		hangUp()
	default:
		err = errors.New("usage: " + usage)
	}
	p.ts.Check(err)
}
