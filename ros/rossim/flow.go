package rossim

import "time"

type flow struct{}

type connection struct {
	node int
	row  uint64
	ends time.Time
}

func (in *Internet) forget(*connection) {}
func (in *Internet) reroute()           {}
