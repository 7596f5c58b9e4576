#!/usr/bin/env bash
# In the guest: a server made of the router's rows, a computer that dials in with
# what an untouched Windows proposes, and a host on the server's LAN. Says on lines
# of their own what happened.
exec 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dir=$1
. "$dir/world" # SERVER, CLIENT, HOST, GATEWAY and LAN
say() { echo "-- $(cut -d' ' -f1 /proc/uptime) $*"; }

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
while read -r link address; do ip -n srv addr add "$address" dev "$link"; done <"$dir/addresses"
for link in wan lan; do ip -n srv link set $link up; done
ip -n cli addr add "$CLIENT/24" dev port
ip -n host addr add "$HOST/24" dev port
for ns in cli host; do ip -n $ns link set port up; done
ip -n host route add default via "$GATEWAY"
ip netns exec srv sysctl -qw net.ipv4.ip_forward=1

for who in srv cli; do
	mkdir -p /run/$who
	cat >/run/$who/strongswan.conf <<CONF
charon-systemd {
  load = random nonce openssl hmac kdf kernel-netlink socket-default vici updown
  retransmit_timeout = 1
  retransmit_tries = 2
  plugins { vici { socket = unix:///run/$who/vici } }
  filelog { f { path = /run/$who/log
    default = 1
    cfg = 2
    flush_line = yes } }
}
CONF
done
cp "$dir/swanctl.conf" /run/srv/swanctl.conf
sed "s#%DIR%#/run/srv#" "$dir/xl2tpd.conf" >/run/srv/xl2tpd.conf
cp "$dir/options" /run/srv/options
echo "logfile /run/srv/ppplog" >>/run/srv/options
mkdir -p /etc/ppp /var/run/xl2tpd
cp "$dir/chap-secrets" /etc/ppp/chap-secrets
chmod 600 /etc/ppp/chap-secrets

# What Windows 10 and 11 propose, in their order.
cat >/run/cli/swanctl.conf <<CONF
connections { l2tp { version = 1
  proposals = aes256-sha1-ecp384,aes128-sha1-ecp256,aes256-sha1-modp2048,3des-sha1-modp2048,3des-sha1-modp1024
  remote_addrs = $SERVER
  local { auth = psk }
  remote { auth = psk
    id = $SERVER }
  children { l2tp { mode = transport
    local_ts = dynamic[udp/1701]
    remote_ts = dynamic[udp/1701]
    esp_proposals = aes256-sha1,aes128-sha1,3des-sha1 } } } }
secrets { ike-l2tp { secret = "$(cat "$dir/psk")" } }
CONF
cat >/run/cli/xl2tpd.conf <<CONF
[global]
port = 1701
[lac v]
lns = $SERVER
pppoptfile = /run/cli/options
length bit = yes
CONF
client() {
	printf 'name %s\npassword %s\nremotename lns\nnoauth\nrefuse-eap\nrefuse-pap\nrefuse-chap\nrefuse-mschap\nusepeerdns\nnodefaultroute\nmtu 1400\nmru 1400\nlogfile /run/cli/ppplog\n' \
		"$(cat "$dir/account")" "$1" >/run/cli/options
}
client "$(cat "$dir/password")"

for who in srv cli; do
	STRONGSWAN_CONF=/run/$who/strongswan.conf ip netns exec $who /usr/sbin/charon-systemd >/run/$who/out 2>&1 &
done
for who in srv cli; do
	for _ in $(seq 600); do [ -S /run/$who/vici ] && break; sleep 0.1; done
	STRONGSWAN_CONF=/run/$who/strongswan.conf timeout 60 swanctl --load-all --file /run/$who/swanctl.conf --uri unix:///run/$who/vici 2>/dev/null | grep -E 'loaded conn|fail'
done
call() { STRONGSWAN_CONF=/run/cli/strongswan.conf timeout 30 swanctl --initiate --child l2tp --uri unix:///run/cli/vici >/run/cli/call 2>&1; }
say daemons

# As the router was before: its firewall keeps the computer out.
ip netns exec srv nft -f "$dir/before.nft" || say "no rules"
if call; then echo "LET-IN-BEFORE"; else echo "KEPT-OUT-BEFORE"; fi
ip netns exec srv nft flush ruleset

ip netns exec srv nft -f "$dir/rules.nft" || say "no rules"
if call; then echo "IPSEC-UP"; else cat /run/cli/call; tail -n 20 /run/srv/log; fi
ip -n cli xfrm state | awk '/mode|enc|auth/ { print ($1 == "proto") ? "esp, mode " $NF : $1 " " $2 }' | sort -u

for who in srv cli; do
	ip netns exec $who xl2tpd -D -c /run/$who/xl2tpd.conf -p /run/$who/pid -C /run/$who/control >/run/$who/xl2tpd.log 2>&1 &
done
for _ in $(seq 100); do [ -p /run/cli/control ] && break; sleep 0.1; done
dial() {
	echo 'c v' >/run/cli/control
	for _ in $(seq 200); do
		ip -n cli addr show 2>/dev/null | grep -q 'peer ' && return 0
		grep -q 'authentication failed' /run/cli/ppplog 2>/dev/null && return 1
		sleep 0.1
	done
	return 1
}
if dial; then
	echo "ADDRESS $(ip -n cli -o -4 addr show | sed -n 's/.*inet \([0-9.]*\) peer \([0-9.]*\).*/\1 from \2/p')"
	grep -h 'DNS address' /run/cli/ppplog | head -2
	ip -n cli route add "$LAN" dev ppp0
	ip netns exec cli ping -c 3 -i 0.2 -W 2 "$HOST" | grep -E 'received' && ip netns exec cli ping -c 1 -W 2 "$HOST" >/dev/null && echo "LAN-REACHED"
	ip netns exec cli ping -c 1 -s 1300 -M do -W 2 "$HOST" >/dev/null && echo "LARGE-REACHED"
else
	ip netns exec srv nft list ruleset
	for ns in cli srv; do
		ip -n $ns xfrm policy | grep -E 'src|dir'
		ip -n $ns -s xfrm state | grep -E '^src|bytes'
	done
	tail -n 20 /run/srv/xl2tpd.log /run/srv/ppplog /run/cli/xl2tpd.log /run/cli/ppplog
fi
echo 'd v' >/run/cli/control
for _ in $(seq 100); do ip -n cli addr show | grep -q 'peer ' || break; sleep 0.1; done

: >/run/cli/ppplog
client wrong-password
if dial; then echo "WRONG-PASSWORD-LET-IN"; elif grep -q 'authentication failed' /run/cli/ppplog; then echo "WRONG-PASSWORD-REFUSED"; fi
say end
