:if ([:len [/system/scheduler find where name="vpnbot-guard-42" and !disabled]] != 1) do={ :error "vpnbot 42: no guard" }
:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2" and comment="[vpnbot 42.1]"]] != 1) do={ :error "vpnbot 42: row of step 1 is gone" }
:if ([:len [/ip/ipsec/identity find where peer="hq-fengshan-2" and comment="[vpnbot 42.2]"]] != 1) do={ :error "vpnbot 42: row of step 2 is gone" }
:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2"]] != 1) do={ :error "vpnbot 42: step 3 finds other rows than planned" }
:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2" and disabled]] != 1) do={ :error "vpnbot 42: step 3 finds other rows than planned" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic]] != 1) do={ :error "vpnbot 42: step 4 finds other rows than planned" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic and !disabled]] != 1) do={ :error "vpnbot 42: step 4 finds other rows than planned" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] != 1) do={ :error "vpnbot 42: step 5 finds other rows than planned" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and peer="old \"hq\" \$x\\ \E9\B3\B3" and proposal="default"]] != 1) do={ :error "vpnbot 42: step 5 finds other rows than planned" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] != 1) do={ :error "vpnbot 42: step 6 finds other rows than planned" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and disabled]] != 1) do={ :error "vpnbot 42: step 6 finds other rows than planned" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] != 1) do={ :error "vpnbot 42: step 7 finds other rows than planned" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and !disabled]] != 1) do={ :error "vpnbot 42: step 7 finds other rows than planned" }
:if ([:len [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic]] != 1) do={ :error "vpnbot 42: step 8 finds other rows than planned" }
:if ([:len [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic and disabled]] != 1) do={ :error "vpnbot 42: step 8 finds other rows than planned" }
/ip/ipsec/proposal enable [/ip/ipsec/proposal find where name="hq-fengshan-2" and disabled]
/ip/ipsec/peer disable [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic and !disabled]
/ip/ipsec/policy set [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and (level!="unique" or peer!="hq-fengshan-2" or proposal!="hq-fengshan-2")] level="unique" peer="hq-fengshan-2" proposal="hq-fengshan-2"
/ip/ipsec/policy enable [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and disabled]
/ip/ipsec/policy disable [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and !disabled]
/ip/ipsec/peer enable [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic and disabled]
:log info "vpnbot 42: cut over"
