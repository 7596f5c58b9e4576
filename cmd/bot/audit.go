package main

import (
	"errors"
	"fmt"
	"os"
)

// auditCommands are "bot audit …".
type auditCommands struct {
	List   auditList   `cmd:"" help:"Print events, oldest first."`
	Verify auditVerify `cmd:"" help:"Verify the chain, the checkpoints and the requests."`
	Export auditExport `cmd:"" help:"Print every record of the trail as a line of JSON."`
}

type auditList struct {
	configured
	JSON    bool  `help:"Print a line of JSON for each event."`
	Request int64 `help:"Only events of this request." placeholder:"N"`
	Limit   int   `help:"At most the newest N." default:"1000" placeholder:"N"`
}

// Run lists events.
func (c auditList) Run(env *environment) error {
	if c.Limit < 1 {
		return usageError{errors.New("--limit: expected 1 or more")}
	}
	return c.order(env, order{Do: orderList, JSON: c.JSON, Request: c.Request, Limit: c.Limit})
}

type auditVerify struct {
	configured
	Checkpoint string `help:"A checkpoint that was kept outside the ledger." placeholder:"FILE"`
	JSON       bool   `help:"Print the finding as JSON."`
}

// Run verifies the trail.
func (c auditVerify) Run(env *environment) error {
	o := order{Do: orderVerify, JSON: c.JSON}
	if c.Checkpoint != "" {
		note, err := os.ReadFile(c.Checkpoint)
		if err != nil {
			return usageError{fmt.Errorf("reading the checkpoint: %w", err)}
		}
		o.Checkpoint = note
	}
	return c.order(env, o)
}

type auditExport struct{ configured }

// Run exports the trail.
func (c auditExport) Run(env *environment) error { return c.order(env, order{Do: orderTrail}) }
