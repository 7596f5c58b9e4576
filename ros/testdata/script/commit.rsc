:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2" and comment="[vpnbot 42.1]"]] != 1) do={ :error "vpnbot 42: row of step 1 is not as planned" }
:if ([:len [/ip/ipsec/identity find where peer="hq-fengshan-2" and comment="[vpnbot 42.2]"]] != 1) do={ :error "vpnbot 42: row of step 2 is not as planned" }
:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2"]] != 1) do={ :error "vpnbot 42: row of step 3 is gone" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] != 1) do={ :error "vpnbot 42: row of step 5 is gone" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] != 1) do={ :error "vpnbot 42: row of step 6 is gone" }
:if ([:len [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic]] != 1) do={ :error "vpnbot 42: row of step 8 is gone" }
:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2" and disabled]] != 0) do={ :error "vpnbot 42: step 3 is not in place" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic and !disabled]] != 0) do={ :error "vpnbot 42: step 4 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and (level!="unique" or peer!="hq-fengshan-2" or proposal!="hq-fengshan-2")]] != 0) do={ :error "vpnbot 42: step 5 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and disabled]] != 0) do={ :error "vpnbot 42: step 6 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and !disabled]] != 0) do={ :error "vpnbot 42: step 7 is not in place" }
:if ([:len [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic and disabled]] != 0) do={ :error "vpnbot 42: step 8 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]] > 1) do={ :error "vpnbot 42: step 9 finds other rows than planned" }
:if ([:len [/ip/ipsec/identity find where peer="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic]] > 1) do={ :error "vpnbot 42: step 10 finds other rows than planned" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic]] > 1) do={ :error "vpnbot 42: step 11 finds other rows than planned" }
/system/scheduler remove [/system/scheduler find where name="vpnbot-guard-42"]
:if ([:len [/ip/ipsec/proposal find where name="hq-fengshan-2" and disabled]] != 0) do={ :error "vpnbot 42: step 3 is not in place" }
:if ([:len [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic and !disabled]] != 0) do={ :error "vpnbot 42: step 4 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.88.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and (level!="unique" or peer!="hq-fengshan-2" or proposal!="hq-fengshan-2")]] != 0) do={ :error "vpnbot 42: step 5 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.89.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and disabled]] != 0) do={ :error "vpnbot 42: step 6 is not in place" }
:if ([:len [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template and !disabled]] != 0) do={ :error "vpnbot 42: step 7 is not in place" }
:if ([:len [/ip/ipsec/peer find where name="hq-fengshan-2" and !dynamic and disabled]] != 0) do={ :error "vpnbot 42: step 8 is not in place" }
/ip/ipsec/policy remove [/ip/ipsec/policy find where dst-address=192.168.90.0/24 and src-address=192.168.77.0/24 and !dynamic and !template]
/ip/ipsec/identity remove [/ip/ipsec/identity find where peer="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic]
/ip/ipsec/peer remove [/ip/ipsec/peer find where name="old \"hq\" \$x\\ \E9\B3\B3" and !dynamic]
:log info "vpnbot 42: committed"
