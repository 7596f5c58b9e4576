//go:build !nodemo

package main

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"vpnbot/ros/rossim"
)

// line does something to the line between two sites, or to who talks over it.
func (p *scene) line(neg bool, args []string) {
	const usage = "line SITE SITE cut|mended|ike-lost|ike-back|calls-lost|calls-back|answers-lost|answers-back|quiet|talks"
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
	case "ike-lost":
		err = errors.Join(p.internet.Block(near.Router, far.Router, rossim.IKE), p.internet.Block(far.Router, near.Router, rossim.IKE))
	case "ike-back":
		err = errors.Join(p.internet.Unblock(near.Router, far.Router, rossim.IKE), p.internet.Unblock(far.Router, near.Router, rossim.IKE))
	case "calls-lost":
		err = p.internet.Block(near.Router, far.Router, rossim.ESP)
	case "calls-back":
		err = p.internet.Unblock(near.Router, far.Router, rossim.ESP)
	case "answers-lost":
		err = p.internet.Block(far.Router, near.Router, rossim.ESP)
	case "answers-back":
		err = p.internet.Unblock(far.Router, near.Router, rossim.ESP)
	case "quiet":
		err = p.hangUp(args[0] + "-" + args[1])
	case "talks":
		p.need(args, 5, "line SITE SITE talks THERE BACK")
		p.ts.Check(p.hangUp(args[0] + "-" + args[1]))
		err = p.talks(args[0]+"-"+args[1], near, far, args[3], args[4])
	default:
		err = errors.New("usage: " + usage)
	}
	p.ts.Check(err)
}

// hangUp ends the talk through a tunnel, if there is one.
func (p *scene) hangUp(tunnel string) error {
	hangUp, ok := p.calls[tunnel]
	if !ok {
		return errors.New("nobody talks there")
	}
	hangUp()
	return nil
}

// talks begins another talk: so many packets a second there and back, neither of
// which waits for the other.
func (p *scene) talks(tunnel string, near, far *office, there, back string) error {
	a, err := netip.ParseAddr(near.LAN + ".41")
	p.ts.Check(err)
	b, err := netip.ParseAddr(far.LAN + ".14")
	p.ts.Check(err)
	var stops []func()
	for _, way := range []struct {
		from, to netip.Addr
		rate     string
	}{{a, b, there}, {b, a, back}} {
		rate, err := strconv.ParseFloat(way.rate, 64)
		if err != nil {
			return err
		}
		stop, err := p.internet.StartFlow(rossim.Flow{From: way.from, To: way.to, Protocol: "udp", FromPort: 5004, ToPort: 5006, There: rate})
		if err != nil {
			return err
		}
		stops = append(stops, stop)
	}
	p.calls[tunnel] = func() {
		for _, stop := range stops {
			stop()
		}
	}
	return nil
}

// saidUp is the title of an answer that read both ends just now and calls a tunnel
// up.
var saidUp = regexp.MustCompile(`(?m)(\S+?)(?:: UP|：正常)$`)

// upIsTrue fails the script when an answer that was just given calls a tunnel up
// that is not: the ends do not share their SAs, or the line between them carries
// none. The truth is the simulator's, not that of any row.
func (p *scene) upIsTrue(answer string) {
	m := saidUp.FindStringSubmatch(answer)
	if m == nil {
		return
	}
	from, to, _ := strings.Cut(m[1], "-") // as every tunnel of this world is called
	near, far := p.office(from), p.office(to)
	a, b := netip.MustParseAddr(near.LAN+".31"), netip.MustParseAddr(far.LAN+".12")
	if !p.internet.Protected(a, b) || !p.internet.Protected(b, a) {
		p.ts.Fatalf("%s is called up and is not\n%s", m[1], answer)
	}
}
