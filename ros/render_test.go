package ros

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vpnbot/change"
	"vpnbot/change/secret"
	"vpnbot/ros/schema"
)

type drawer map[secret.Ref]string

func (d drawer) Open(_ context.Context, ref secret.Ref) (secret.Secret, error) {
	text, ok := d[ref]
	if !ok {
		return secret.Secret{}, secret.ErrDestroyed
	}
	return secret.New(text), nil
}

// Ensure each action becomes the sentence that RouterOS knows.
func TestRender(t *testing.T) {
	row := schema.Row{".id": "*1F", "name": "vpn-01", "comment": "陳小明 3F [vpnbot 3.9]"}
	tests := []struct {
		name string
		step change.Step
		row  schema.Row
		want []string
		err  error
	}{
		{
			"add",
			change.Step{
				ID: 2, Menu: "/ppp/secret", Action: schema.Add,
				After:   schema.Row{"name": "vpn-01", "comment": "a=b"},
				Secrets: map[string]secret.Ref{"password": "one"},
			},
			nil,
			[]string{"/ppp/secret/add", "=comment=a=b [vpnbot 7.2]", "=name=vpn-01", "=password=s3cret"},
			nil,
		},
		{
			"add where rows have no comment",
			change.Step{
				ID: 2, Menu: "/ip/dhcp-server", Action: schema.Add, After: schema.Row{"name": "lan"},
			},
			nil,
			[]string{"/ip/dhcp-server/add", "=name=lan"},
			nil,
		},
		{
			"set",
			change.Step{
				ID: 2, Menu: "/ppp/secret", Action: schema.Change,
				Before: schema.Row{"profile": "vpn", "remote-address": "10.0.0.9", "comment": "陳小明 3F"},
				After:  schema.Row{"profile": "vpn2"},
			},
			row,
			[]string{"/ppp/secret/set", "=.id=*1F", "=!remote-address=", "=comment=陳小明 3F [vpnbot 7.2]", "=profile=vpn2"},
			nil,
		},
		{
			"set of settings",
			change.Step{
				ID: 2, Menu: "/interface/l2tp-server/server", Action: schema.Change, After: schema.Row{"enabled": "yes"},
			},
			schema.Row{"enabled": "false"},
			[]string{"/interface/l2tp-server/server/set", "=enabled=yes"},
			nil,
		},
		{"remove", change.Step{Menu: "/ppp/secret", Action: schema.Remove}, row, []string{"/ppp/secret/remove", "=.id=*1F"}, nil},
		{"disable", change.Step{Menu: "/ppp/secret", Action: schema.Disable}, row, []string{"/ppp/secret/disable", "=.id=*1F"}, nil},
		{"move", change.Step{Menu: "/ppp/secret", Action: schema.Move}, row, nil, ErrStep},
		{
			"destroyed secret", change.Step{
				Menu: "/ppp/secret", Action: schema.Add, Secrets: map[string]secret.Ref{"password": "gone"},
			}, nil, nil, secret.ErrDestroyed,
		},
		{
			"empty secret", change.Step{
				Menu: "/ppp/secret", Action: schema.Add, Secrets: map[string]secret.Ref{"password": "empty"},
			}, nil, nil, ErrStep,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after := tt.step.After.Clone()
			got, err := render(t.Context(), 7, tt.step, tt.row, drawer{"one": "s3cret", "empty": ""})
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got.words); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(after, tt.step.After); diff != "" {
				t.Errorf("the step was changed: %s", diff)
			}
			if len(tt.step.Secrets) > 0 && err == nil && len(got.hide) != len(tt.step.Secrets) {
				t.Errorf("got %d secrets to hide, want %d", len(got.hide), len(tt.step.Secrets))
			}
		})
	}
}
