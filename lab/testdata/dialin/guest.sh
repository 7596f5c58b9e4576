#!/usr/bin/env bash
# In the guest: a server made of the router's rows, a computer that dials in with
# what an untouched Windows proposes, and a host on the server's LAN. Says on lines
# of their own what happened. Whatever is waited for is waited for until a program
# says how it ended, as this may take a minute on a machine with other work.
exec 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dir=$1
. "$dir/world" # SERVER, CLIENT, HOST, GATEWAY and LAN
say() { echo "-- $(cut -d' ' -f1 /proc/uptime) $*"; }
fail() { # what is wrong, and what the server and the client know about it
	echo "FAILED $*"
	ip netns exec srv nft list ruleset
	for ns in cli srv; do
		ip -n $ns xfrm policy | grep -E '^src 1|dir'
		ip -n $ns -s xfrm state | grep -E '^src|bytes'
		ip netns exec $ns grep -vE '[[:space:]]0$' /proc/net/xfrm_stat
	done
	tail -n 20 /run/cli/call /run/srv/log /run/srv/xl2tpd.log /run/srv/ppplog /run/cli/xl2tpd.log /run/cli/ppplog
	exit 1
}
# within N COMMAND: N times, a tenth of a second apart, until COMMAND holds
within() {
	local n=$1
	shift
	for _ in $(seq "$n"); do "$@" && return 0; sleep 0.1; done
	return 1
}

for m in esp4 xfrm_user af_key l2tp_ppp ppp_async ppp_synctty veth cbc hmac sha1_generic des_generic aes_generic authenc echainiv \
	nf_tables nft_chain_nat nft_masq nft_ct nft_xfrm nft_fib nf_conntrack; do
	modprobe $m 2>/dev/null || say "no module $m"
done

# wan of the server to the computer, lan of the server to the host
for ns in srv cli host; do
	ip netns add $ns
	ip -n $ns link set lo up
done
ip link add wan netns srv type veth peer name port netns cli
ip link add lan netns srv type veth peer name port netns host
while read -r link address; do ip -n srv addr add "$address" dev "$link"; done <"$dir/set-up/addresses"
for link in wan lan; do ip -n srv link set $link up; done
ip -n cli addr add "$CLIENT/24" dev port
ip -n host addr add "$HOST/24" dev port
for ns in cli host; do ip -n $ns link set port up; done
ip -n host route add default via "$GATEWAY"
ip netns exec srv sysctl -qw net.ipv4.ip_forward=1

mkdir -p /etc/ppp /var/run/xl2tpd
for who in srv cli; do
	mkdir -p /run/$who
	cat >/run/$who/strongswan.conf <<CONF
charon-systemd {
  load = random nonce openssl hmac kdf kernel-netlink socket-default vici updown
  retransmit_timeout = 2
  retransmit_tries = 2
  plugins { vici { socket = unix:///run/$who/vici } }
  filelog { f { path = /run/$who/log
    default = 1
    cfg = 2
    flush_line = yes } }
}
CONF
	STRONGSWAN_CONF=/run/$who/strongswan.conf ip netns exec $who /usr/sbin/charon-systemd >/run/$who/out 2>&1 &
	: >/run/$who/ppplog
done
swan() { # who, and what swanctl is to do
	local who=$1
	shift
	STRONGSWAN_CONF=/run/$who/strongswan.conf timeout 300 swanctl "$@" --uri unix:///run/$who/vici
}
load() { # who: what its swanctl.conf says, and nothing of what it said before
	within 3000 test -S /run/$1/vici || fail "no IKE daemon of $1"
	swan $1 --load-all --clear --file /run/$1/swanctl.conf >/run/$1/load 2>&1
	grep -q "^loaded connection 'l2tp'" /run/$1/load || { cat /run/$1/load; fail "the IKE daemon of $1 has no connection"; }
}

# key FILE: the client has that key, and what it proposes: what Windows 10 and 11 do, in
# their order, or what computers of old have.
windows() {
	phase1=aes256-sha1-ecp384,aes128-sha1-ecp256,aes256-sha1-modp2048,3des-sha1-modp2048,3des-sha1-modp1024
	phase2=aes256-sha1,aes128-sha1,3des-sha1
}
of_old() { phase1=3des-sha1-modp1024 phase2=3des-sha1; }
key() {
	cat >/run/cli/swanctl.conf <<CONF
connections { l2tp { version = 1
  proposals = $phase1
  remote_addrs = $SERVER
  local { auth = psk }
  remote { auth = psk
    id = $SERVER }
  children { l2tp { mode = transport
    local_ts = dynamic[udp/1701]
    remote_ts = dynamic[udp/1701]
    esp_proposals = $phase2 } } } }
secrets { ike-l2tp { secret = "$(cat "$1")" } }
CONF
	load cli
}
password() {
	printf 'name %s\npassword %s\nremotename lns\nnoauth\nrefuse-eap\nrefuse-pap\nrefuse-chap\nrefuse-mschap\nusepeerdns\nnodefaultroute\nmtu 1400\nmru 1400\nlogfile /run/cli/ppplog\n' \
		"$(cat "$dir/account")" "$1" >/run/cli/options
}
cat >/run/cli/xl2tpd.conf <<CONF
[global]
port = 1701
[lac v]
lns = $SERVER
pppoptfile = /run/cli/options
length bit = yes
CONF

rules() { # FILE: the packet filter of the server
	ip netns exec srv nft flush ruleset
	ip netns exec srv nft -f "$1" || fail "no rules $1"
}
# dropped: how many packets to the server itself its rules have dropped
dropped() { ip netns exec srv nft list chain ip vpnbot input | awk '/drop/ { for (i = 1; i < NF; i++) if ($i == "packets") n += $(i + 1) } END { print n + 0 }'; }

# play STAGE: the server becomes what the rows of that stage say. A session that the
# router has no row for any more ends, as it does there.
play() {
	local stage=$dir/$1
	rules "$stage/rules.nft"
	cp "$stage/chap-secrets" /etc/ppp/chap-secrets
	chmod 600 /etc/ppp/chap-secrets
	sed "s#%DIR%#/run/srv#" "$stage/xl2tpd.conf" >/run/srv/xl2tpd.conf
	cp "$stage/options" /run/srv/options
	echo "logfile /run/srv/ppplog" >>/run/srv/options
	if ! cmp -s "$stage/swanctl.conf" /run/srv/swanctl.conf; then
		cp "$stage/swanctl.conf" /run/srv/swanctl.conf
		load srv
	fi
	if [ ! -s "$stage/sessions" ]; then
		for pid in $(ip netns pids srv); do [ "$(cat /proc/$pid/comm)" = pppd ] && kill -TERM "$pid"; done
	fi
}

# call: IPsec as the client asks for it; /run/cli/call says how it went
call() { swan cli --initiate --child l2tp >/run/cli/call 2>&1; }
connect() { within 3 call || fail "no IPsec $*"; }
agreed() { sed -n 's/.*selected proposal: //p' /run/cli/call | paste -sd' '; }
hang_up() {
	echo 'd v' >/run/cli/control
	within 600 gone || fail "the session does not end"
	swan cli --terminate --ike l2tp >/dev/null 2>&1
}
address() { ip -n cli -o -4 addr show | sed -n 's/.*inet \([0-9.]*\) peer \([0-9.]*\).*/\1 from \2/p'; }
addressed() { ip -n cli -o -4 addr show | grep -q 'peer '; }
gone() { ! addressed && ! ip -n srv -o -4 addr show | grep -q 'peer '; }
refused() { grep -q 'authentication failed' /run/cli/ppplog; }
unanswered() { grep -q 'Maximum retries exceeded' /run/cli/xl2tpd.log; }
ended() { addressed || refused || unanswered; }
declare -A listening
ended_process() { ! kill -0 "$1" 2>/dev/null; }
# l2tp WHO: L2TP afresh, which listens when this returns
l2tp() {
	local old=${listening[$1]}
	if [ -n "$old" ]; then
		kill "$old"
		within 100 ended_process "$old" || { say "$1's xl2tpd does not end"; kill -KILL "$old"; }
		wait "$old"
	fi
	rm -f /run/$1/control
	ip netns exec $1 xl2tpd -D -c /run/$1/xl2tpd.conf -p /run/$1/pid -C /run/$1/control >/run/$1/xl2tpd.log 2>&1 &
	listening[$1]=$!
	within 600 grep -q Listening /run/$1/xl2tpd.log && within 600 test -p /run/$1/control || fail "no xl2tpd of $1"
}
# dial: L2TP and PPP, until the client has an address (0), was refused (1), gives up
# because nobody answers (2) or was sent away for no reason (3)
dial() {
	l2tp cli
	: >/run/cli/ppplog
	echo 'c v' >/run/cli/control
	within 400 ended || fail "the client never says how it ended"
	say dialled
	if addressed; then return 0; elif unanswered; then return 2; fi
	within 50 refused || return 3
	return 1
}
# reach: dialling in works, also when the first try was lost on a slow machine
reach() {
	for _ in 1 2 3; do
		dial
		case $? in 0) return 0 ;; 1) return 1 ;; esac
	done
	return 2
}

# The first message of an L2TP client, from a port that the client's policy leaves
# alone, so in clear.
printf '\xc8\x02\x00\x37\x00\x00\x00\x00\x00\x00\x00\x00\x80\x08\x00\x00\x00\x00\x00\x01\x80\x08\x00\x00\x00\x02\x01\x00\x80\x0a\x00\x00\x00\x03\x00\x00\x00\x03\x80\x09\x00\x00\x00\x07cli\x80\x08\x00\x00\x00\x09\x42\x42' >/run/cli/first
in_clear() { ip netns exec cli bash -c "exec 3<>/dev/udp/$SERVER/1701; cat /run/cli/first >&3; timeout 3 head -c 1 <&3 | grep -q ."; }

# As the router was before: its firewall keeps the computer out, though the daemon
# behind it would take it.
play set-up
windows
key "$dir/set-up/psk"
password "$(cat "$dir/password")"
say daemons
rules "$dir/before.nft"
call && fail "the client is let in before the router was set up"
if grep -q 'giving up after' /run/cli/call && [ "$(dropped)" -gt 0 ]; then echo "KEPT-OUT-BEFORE"; else fail "kept out, but not by the rules"; fi

l2tp srv

# The rule for L2TP counts: without it IPsec comes up and nothing gets through, and
# with one that does not ask for IPsec anybody is heard in clear.
rules "$dir/unruled.nft"
connect
echo "IPSEC-UP $(agreed)"
ip -n cli xfrm state | awk '/mode|enc|auth/ { print ($1 == "proto") ? "esp, mode " $NF : $1 " " $2 }' | sort -u
before=$(dropped)
dial
if [ $? = 2 ] && [ "$(dropped)" -gt "$before" ]; then echo "KEPT-OUT-WITHOUT-RULE"; else fail "let in without the rule for L2TP"; fi
rules "$dir/careless.nft"
if within 5 in_clear; then echo "CLEAR-TEXT-HEARD-WITHOUT-POLICY"; else fail "nobody hears a client in clear, whatever the rules say"; fi
say controls

# As the bot left it.
rules "$dir/set-up/rules.nft"
before=$(dropped)
in_clear && fail "a client in clear is heard"
if [ "$(dropped)" -gt "$before" ]; then echo "CLEAR-TEXT-REFUSED"; else fail "a client in clear is not heard, but not for the rules"; fi
reach || fail "no address"
echo "ADDRESS $(address)"
grep -h 'DNS address' /run/cli/ppplog | head -2
ip -n cli route add "$LAN" dev ppp0
ip netns exec cli ping -c 3 -i 0.2 -W 5 "$HOST" | grep 'received'
within 3 ip netns exec cli ping -c 1 -W 5 "$HOST" >/dev/null && echo "LAN-REACHED"
within 3 ip netns exec cli ping -c 1 -s 1300 -M do -W 5 "$HOST" >/dev/null && echo "LARGE-REACHED"
# the router's name service: nobody listens here, which is told if the question comes
ask() { ip netns exec cli timeout 5 bash -c "exec 3<>/dev/udp/$GATEWAY/53; echo >&3; head -c 1 <&3" 2>&1 | grep -q refused; }
within 3 ask && echo "DNS-LET-IN"
ip netns exec srv nft list chain ip vpnbot input | grep counter
hang_up

connect
password wrong-password
reach
if [ $? = 1 ]; then echo "WRONG-PASSWORD-REFUSED"; else fail "the wrong password is not refused"; fi
password "$(cat "$dir/password")"
reach || fail "no address after a wrong password"
say accounts

# An account is disabled, and enabled again while the key changes, and deleted.
play disabled
within 600 gone && echo "DISABLED-SESSION-ENDED"
reach
if [ $? = 1 ]; then echo "DISABLED-REFUSED"; else fail "a disabled account is not refused"; fi
hang_up

play rotated
undecrypted() { grep -c 'could not decrypt payloads' /run/srv/log; }
before=$(undecrypted)
call && fail "the old key is taken"
if [ "$(undecrypted)" -gt "$before" ]; then echo "OLD-KEY-REFUSED"; else fail "refused, but not for the key"; fi
key "$dir/rotated/psk"
connect with the new key
reach && echo "NEW-KEY-ADDRESS $(address)"
hang_up

# A computer of old is let in when people ask for it.
of_old
key "$dir/rotated/psk"
call && fail "a computer of old is let in"
if grep -q NO_PROPOSAL_CHOSEN /run/cli/call; then echo "OLD-COMPUTER-REFUSED"; else fail "refused, but not for the proposals"; fi
play legacy
connect by a computer of old
reach && echo "OLD-COMPUTER-ADDRESS $(agreed)"

play deleted
within 600 gone && echo "DELETED-SESSION-ENDED"
reach
if [ $? = 1 ]; then echo "DELETED-REFUSED"; else fail "a deleted account is not refused"; fi
say end
