:if ([:len [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] = 0) do={ :error "vpnbot 42: old rows are gone" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] = 0) do={ :error "vpnbot 42: old rows are gone" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3"]] = 0) do={ :error "vpnbot 42: old rows are gone" }
:if ([:len [/ip/ipsec/proposal find where name="default"]] = 0) do={ :error "vpnbot 42: old rows are gone" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic]] = 0) do={ :error "vpnbot 42: old rows are gone" }
:do { /ip/ipsec/peer disable [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic and !disabled] } on-error={ :log error "vpnbot 42: step 8 not taken back" }
:do { /ip/ipsec/policy enable [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and disabled] } on-error={ :log error "vpnbot 42: step 7 not taken back" }
:do { /ip/ipsec/policy disable [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and !disabled] } on-error={ :log error "vpnbot 42: step 6 not taken back" }
:do { /ip/ipsec/policy set [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and (peer!="old \"hq\" \$x\\ \E9\B3\B3" or proposal!="default" or level!="")] !level peer="old \"hq\" \$x\\ \E9\B3\B3" proposal="default" } on-error={ :log error "vpnbot 42: step 5 not taken back" }
:do { /ip/ipsec/peer enable [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic and disabled] } on-error={ :log error "vpnbot 42: step 4 not taken back" }
:do { /ip/ipsec/proposal disable [/ip/ipsec/proposal find where name="hq-fengshan-2" and !disabled] } on-error={ :log error "vpnbot 42: step 3 not taken back" }
:log info "vpnbot 42: old rows restored"
