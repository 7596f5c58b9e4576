GOFUMPT  := mvdan.cc/gofumpt@v0.12.0
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VULN     := golang.org/x/vuln/cmd/govulncheck@latest
FUZZTIME ?= 30s

.PHONY: help check format test record lab lab-l2tp kill worlds fuzz bench demo vuln

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

check: format ## gofumpt, go vet, golangci-lint, tests
	go vet ./...
	go run $(GOLANGCI) run
	go test ./...

format:
	@files=$$(go run $(GOFUMPT) -l .) && if [ -n "$$files" ]; then echo "gofumpt would change:"; echo "$$files"; exit 1; fi

test: ## all tests, with the race detector, in random order
	go test -race -shuffle=on ./...

# ROUTEROS_TEST_ADDRESS=host:8729 ROUTEROS_TEST_USERNAME= ROUTEROS_TEST_PASSWORD=
# ROUTEROS_TEST_FINGERPRINT=sha256:HEX: a spare router, on which one PPP secret is
# added and removed. Read what was recorded before you publish it: its rows stand in it.
record: ## keep what a real router says to the tests of ros, as ROUTEROS_TEST_RECORD=NAME, to be replayed
	@test -n "$$ROUTEROS_TEST_ADDRESS" -a -n "$$ROUTEROS_TEST_RECORD" || { echo "ROUTEROS_TEST_ADDRESS and ROUTEROS_TEST_RECORD: expected a router and a name"; exit 1; }
	go test -count=1 -run '^(TestSnapshot|TestExecute|TestExecute_Refused|TestCheck)$$' ./ros

lab: ## 1,000 generated pairs of routers, and changes of tunnels, before real IKE daemons (root; what is missing it names)
	VPNBOT_LAB=1000 go test -count=1 -v ./lab

lab-l2tp: ## a real L2TP/IPsec client dials in to what "dialin setup" made, under a stock kernel in QEMU (root)
	VPNBOT_GUEST=$${TMPDIR:-/tmp}/vpnbot-guest go test -tags guest -count=1 -v -timeout 40m -run 'TestGuest$$' ./cmd/bot

kill: ## death of the bot at every commit and router write of every changing verb, kill -9 again and again, and what else goes wrong at every write
	@out=$$(VPNBOT_KILL=full GOGC=400 go test -count=1 -timeout 90m -v -run 'TestKill_|TestFaults' ./cmd/bot 2>&1) || { echo "$$out"; exit 1; }; \
		echo "$$out" | grep -oE '[0-9]+ (points|kills|mishaps)\b.*|[0-9hms]+ after the mishap.*'; \
		echo "$$out" | sed -n 's/.*toll|//p' | sort | awk -F'|' \
			'BEGIN { printf "\n%-16s %-40s %-62s %s\n", "verb", "the bot, or the routers", "outcome", "times" } \
			{ printf "%-16s %-40s %-62s %6d\n", $$1, $$2, $$3, $$4; n += $$4; of[$$1] += $$4; as[$$1 "|" $$3] += $$4 } \
			END { printf "\n"; for (v in as) { split(v, w, "|"); printf "%-16s %-103s %6d\n", w[1], w[2], as[v] | "sort" }; close("sort"); \
			printf "\n"; for (v in of) printf "%-120s %6d\n", v ", in all", of[v] | "sort"; close("sort"); printf "%-120s %6d\n", "all", n }'

worlds: ## VPNBOT_WORLDS (default 300) random estates for every changing verb, others each time
	VPNBOT_WORLDS=$${VPNBOT_WORLDS:-300} go test -count=1 -timeout 90m -v -run Worlds ./apply | grep -avE ' draw |=== RUN'

fuzz: ## each fuzz target for FUZZTIME (default 30s)
	@for package in $$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

bench: ## ledger, router commands, a status of 500 routers, acknowledgements: figures, ratios and round trips
	go test -run '^$$' -bench . -benchmem ./store/... ./ros/... ./chat/... ./commands

demo: ## the whole product on loopback: open the address that it prints
	go run ./cmd/bot demo

vuln: ## govulncheck (needs its online database)
	go run $(VULN) ./...
