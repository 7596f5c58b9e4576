# NOT YET RUN ON A ROUTER. Written from the menus of RouterOS 7.22.3; read it line
# by line before you import it.
#
# What it does on one router: two groups and two users for vpnbot, a certificate
# for the API over TLS, the API over TLS for the bot's address only, and the API
# without TLS off.
#
# How to use it: copy the file, fill in the variables in the copy, upload it, run
#     /import router-filled.rsc
# and delete the copy from the router and from your machine: it holds passwords.
# Nothing is done while a variable is empty. Running it twice stops at the first
# row that exists.

:local botAddress ""
# where the bot's connections come from, such as 192.168.77.10/32
:local readPassword ""
:local writePassword ""
# two different passwords, 20 or more letters and digits, for example from
#     openssl rand -hex 16
# They go into the credentials that vpnbot.yaml names under read: and write:.
:local commonName ""
# the name that the certificate is made out to, such as gw-hq.example.com

:if ([:len $botAddress] = 0) do={ :error "fill in botAddress" }
:if ([:len $readPassword] < 20) do={ :error "fill in readPassword, 20 or more characters" }
:if ([:len $writePassword] < 20) do={ :error "fill in writePassword, 20 or more characters" }
:if ($readPassword = $writePassword) do={ :error "the two passwords must differ" }
:if ([:len $commonName] = 0) do={ :error "fill in commonName" }

# Groups. Neither may sign in by anything but the API, change users, read
# secrets, reboot or touch files. Policy "write" holds for every menu of the
# router: RouterOS knows no rights for single menus, so what the bot may write is
# limited by the bot's own allow-list and by approvals, not by the router.
# A 6.49 router has no rest-api and knows the tokens dude and tikapp besides.
/user/group/add name=vpnbot-ro comment="vpnbot: reading" policy="api,read,test,!write,!policy,!sensitive,!password,!reboot,!ftp,!local,!ssh,!telnet,!winbox,!web,!rest-api,!sniff,!romon"
/user/group/add name=vpnbot-rw comment="vpnbot: applying approved plans" policy="api,read,write,test,!policy,!sensitive,!password,!reboot,!ftp,!local,!ssh,!telnet,!winbox,!web,!rest-api,!sniff,!romon"

# Users, from the bot's address only.
/user/add name=vpnbot-ro group=vpnbot-ro address=$botAddress password=$readPassword comment="vpnbot"
/user/add name=vpnbot-rw group=vpnbot-rw address=$botAddress password=$writePassword comment="vpnbot"

# A certificate that signs itself: the bot pins its fingerprint and asks no
# authority. Without a certificate api-ssl offers anonymous key exchange only,
# which the bot does not speak.
/certificate/add name=vpnbot-api common-name=$commonName key-size=2048 digest-algorithm=sha256 days-valid=1825 key-usage=digital-signature,key-encipherment,key-cert-sign,tls-server
/certificate/sign vpnbot-api

# The API over TLS, for the bot's address only; the API without TLS off. Other
# programs that use either must be moved first. The address list of a service is
# checked after the connection is accepted: it is no firewall.
/ip/service/set api-ssl certificate=vpnbot-api tls-version=only-1.2 address=$botAddress disabled=no
/ip/service/set api disabled=yes

# The input firewall must let the bot in: place such a rule above the one that
# drops, and take it as an example, since only you know your rules.
#     /ip/firewall/filter/add chain=input action=accept protocol=tcp dst-port=8729 src-address=192.168.77.10 comment="vpnbot" place-before=0

# Put this into vpnbot.yaml as fingerprint: "sha256:" and these digits.
:put ("tls fingerprint: sha256:" . [/certificate/get vpnbot-api fingerprint])
