package policy

// specification is what networking.k8s.io/v1 says, case by case. A policy is its namespace, a
// colon and its spec.
var specification = []struct {
	name            string
	policies        []string
	allowed, denied []string
	problems        int
}{
	{
		name:    "without a policy everything passes",
		allowed: []string{"x/a > y/b TCP 80", "outside > x/a UDP 1", "x/a > outside ICMP"},
	},
	{
		name:     "a policy without rules denies ingress, which is its default type",
		policies: []string{"x: {podSelector: {}}"},
		allowed:  []string{"x/a > y/a TCP 80", "x/a > outside TCP 80", "y/a > y/b TCP 80"},
		denied:   []string{"y/a > x/a TCP 80", "x/b > x/a TCP 80", "outside > x/c UDP 53", "y/a > x/a ICMP"},
	},
	{
		name:     "egress rules make egress a default type beside ingress",
		policies: []string{"x: {podSelector: {}, egress: [{to: [{podSelector: {}}]}]}"},
		allowed:  []string{"y/a > y/b TCP 80"},
		denied:   []string{"x/a > x/b TCP 80", "x/a > y/a TCP 80", "y/a > x/a TCP 80"},
	},
	{
		name:     "policyTypes decide: egress alone leaves ingress open",
		policies: []string{"x: {podSelector: {}, policyTypes: [Egress]}"},
		allowed:  []string{"y/a > x/a TCP 80"},
		denied:   []string{"x/a > y/a TCP 80", "x/a > outside UDP 53"},
	},
	{
		name:     "rules of a direction that is no type mean nothing",
		policies: []string{"x: {podSelector: {}, policyTypes: [Egress], ingress: [{from: [{podSelector: {}}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80"},
		denied:   []string{"x/a > y/a TCP 80"},
	},
	{
		name:     "an empty rule allows everything",
		policies: []string{"x: {podSelector: {}, ingress: [{}]}"},
		allowed:  []string{"y/a > x/a TCP 80", "outside > x/a UDP 1", "y/a > x/a ICMP"},
	},
	{
		name:     "an empty from allows all sources on the ports listed",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [], ports: [{port: 80}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80", "outside > x/a TCP 80"},
		denied:   []string{"y/a > x/a TCP 81", "y/a > x/a UDP 80", "y/a > x/a ICMP"},
	},
	{
		name:     "only the pods selected are isolated",
		policies: []string{"x: {podSelector: {matchLabels: {app: a}}}"},
		allowed:  []string{"y/a > x/b TCP 80", "x/a > x/b TCP 80"},
		denied:   []string{"x/b > x/a TCP 80"},
	},
	{
		name:     "a policy isolates pods of its own namespace only",
		policies: []string{"y: {podSelector: {matchLabels: {app: a}}}"},
		allowed:  []string{"y/b > x/a TCP 80"},
		denied:   []string{"x/a > y/a TCP 80"},
	},
	{
		name:     "a podSelector peer means pods of the policy's namespace",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}"},
		allowed:  []string{"x/b > x/a TCP 80", "x/b > x/a ICMP"},
		denied:   []string{"y/b > x/a TCP 80", "x/c > x/a TCP 80", "outside > x/a TCP 80"},
	},
	{
		name:     "an empty podSelector peer means all pods of the namespace and nothing outside",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"},
		allowed:  []string{"x/b > x/a TCP 80"},
		denied:   []string{"y/b > x/a TCP 80", "outside > x/a TCP 80"},
	},
	{
		name:     "a namespaceSelector peer means all pods of the namespaces",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80", "y/c > x/a UDP 80"},
		denied:   []string{"x/b > x/a TCP 80", "outside > x/a TCP 80"},
	},
	{
		name:     "an empty namespaceSelector peer means all pods of all namespaces",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80", "x/b > x/a TCP 80"},
		denied:   []string{"outside > x/a TCP 80"},
	},
	{
		name:     "both selectors in one peer must match",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: a}}}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80"},
		denied:   []string{"y/b > x/a TCP 80", "x/a > x/b TCP 80"},
	},
	{
		name:     "one of two peers suffices",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: a}}}]}]}"},
		allowed:  []string{"y/b > x/a TCP 80", "x/a > x/b TCP 80"},
		denied:   []string{"x/c > x/b TCP 80"},
	},
	{
		name:     "an ipBlock allows its addresses but for the exceptions",
		policies: []string{"x: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16, 10.0.1.0/31]}}]}]}"},
		allowed:  []string{"x/a > outside TCP 80", "x/a > y/b TCP 80", "x/a > 0.0.0.0 TCP 80", "x/a > 255.255.255.255 UDP 67"},
		denied:   []string{"x/a > metadata TCP 80", "x/a > y/a TCP 80", "x/a > 10.0.1.0 TCP 80"},
	},
	{
		name:     "an exception of one block is open to another",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/29]}}, {ipBlock: {cidr: 192.0.2.7/32}}]}]}"},
		allowed:  []string{"outside > x/a TCP 80", "192.0.2.8 > x/a TCP 80"},
		denied:   []string{"192.0.2.6 > x/a TCP 80", "192.0.3.0 > x/a TCP 80"},
	},
	{
		name:     "an ipBlock with everything excepted allows nothing",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/25, 192.0.2.128/25]}}]}]}"},
		denied:   []string{"outside > x/a TCP 80", "192.0.2.255 > x/a TCP 80"},
	},
	{
		name:     "a port's protocol defaults to TCP",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{port: 53}]}]}"},
		allowed:  []string{"y/a > x/a TCP 53"},
		denied:   []string{"y/a > x/a UDP 53", "y/a > x/a SCTP 53"},
	},
	{
		name:     "a protocol without a port means all its ports",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}"},
		allowed:  []string{"y/a > x/a UDP 1", "y/a > x/a UDP 65535"},
		denied:   []string{"y/a > x/a TCP 1"},
	},
	{
		name:     "SCTP has ports of its own",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{protocol: SCTP, port: 132}]}]}"},
		allowed:  []string{"y/a > x/a SCTP 132"},
		denied:   []string{"y/a > x/a SCTP 133", "y/a > x/a TCP 132", "y/a > x/a UDP 132"},
	},
	{
		name:     "endPort makes a range with both ends in it",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{protocol: UDP, port: 1000, endPort: 2000}]}]}"},
		allowed:  []string{"y/a > x/a UDP 1000", "y/a > x/a UDP 1500", "y/a > x/a UDP 2000"},
		denied:   []string{"y/a > x/a UDP 999", "y/a > x/a UDP 2001", "y/a > x/a TCP 1500"},
	},
	{
		name:     "one of several ports suffices",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 443}, {protocol: UDP, port: 53}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80", "y/a > x/a TCP 443", "y/a > x/a UDP 53"},
		denied:   []string{"y/a > x/a TCP 53", "y/a > x/a TCP 444"},
	},
	{
		name:     "peers and ports of one rule must both match, rules of one policy add up",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 1}]}, {from: [{podSelector: {matchLabels: {app: c}}}], ports: [{port: 2}]}]}"},
		allowed:  []string{"x/a > x/b TCP 1", "x/c > x/b TCP 2"},
		denied:   []string{"x/a > x/b TCP 2", "x/c > x/b TCP 1"},
	},
	{
		name:     "a port's name means the number that each pod gives it",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{port: web}]}]}"},
		allowed:  []string{"y/a > x/a TCP 8080", "y/a > x/b TCP 8081", "y/a > x/c TCP 8082"},
		denied:   []string{"y/a > x/a TCP 8081", "y/a > x/b TCP 8080", "y/a > x/a UDP 8080"},
	},
	{
		name:     "on the way out a port's name is the destination's",
		policies: []string{"x: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: web}]}]}"},
		allowed:  []string{"x/a > y/b TCP 8081", "x/b > y/a TCP 8080", "x/a > x/c TCP 8082"},
		denied:   []string{"x/a > y/b TCP 8080", "x/a > y/a TCP 8081", "x/a > outside TCP 8080"},
	},
	{
		name:     "a port's name is of one protocol, and no port of pods without it",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{port: dns, protocol: UDP}]}]}", "y: {podSelector: {}, ingress: [{ports: [{port: dns}]}]}"},
		allowed:  []string{"y/a > x/b UDP 53"},
		denied:   []string{"y/a > x/a UDP 53", "y/a > x/b TCP 53", "x/a > y/b TCP 53", "x/a > y/b UDP 53"},
	},
	{
		name: "policies add up",
		policies: []string{
			"x: {podSelector: {}}",
			"x: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}",
			"x: {podSelector: {matchLabels: {tier: front}}, ingress: [{ports: [{port: 80}]}]}",
		},
		allowed: []string{"x/b > x/a TCP 99", "y/a > x/a TCP 80"},
		denied:  []string{"y/a > x/a TCP 99", "y/a > x/b TCP 80"},
	},
	{
		name: "the source's egress and the destination's ingress must both allow",
		policies: []string{
			"x: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}",
			"y: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {}}]}]}",
		},
		allowed: []string{"x/a > y/b TCP 80", "y/b > y/a TCP 80"},
		denied:  []string{"x/a > y/a TCP 80", "x/a > x/b TCP 80"},
	},
	{
		name:     "In matches values, and not a label that is missing",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: In, values: [front, middle]}]}}]}]}"},
		allowed:  []string{"x/a > x/b TCP 80"},
		denied:   []string{"x/b > x/a TCP 80", "x/c > x/a TCP 80"},
	},
	{
		name:     "NotIn matches other values, and a label that is missing",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [front]}]}}]}]}"},
		allowed:  []string{"x/b > x/a TCP 80", "x/c > x/a TCP 80"},
		denied:   []string{"x/a > x/b TCP 80"},
	},
	{
		name:     "Exists matches any value",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}]}]}"},
		allowed:  []string{"x/a > x/c TCP 80", "x/b > x/c TCP 80"},
		denied:   []string{"x/c > x/a TCP 80"},
	},
	{
		name:     "DoesNotExist matches a label that is missing",
		policies: []string{"x: {podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}"},
		allowed:  []string{"y/a > x/a TCP 80"},
		denied:   []string{"y/a > x/c TCP 80"},
	},
	{
		name:     "expressions and labels of one selector must all match, of namespaces too",
		policies: []string{"x: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}, matchExpressions: [{key: env, operator: In, values: [prod]}, {key: old, operator: DoesNotExist}]}}]}]}"},
		allowed:  []string{"y/a > x/a TCP 80"},
		denied:   []string{"x/b > x/a TCP 80"},
	},
	{
		name:     "a pod reaches itself, which is what its own Service may come to",
		policies: []string{"x: {podSelector: {}, policyTypes: [Ingress, Egress]}"},
		allowed:  []string{"x/a > x/a TCP 80"},
		denied:   []string{"x/a > x/b TCP 80"},
	},
	{
		name:     "IPv6 obeys too",
		policies: []string{"x: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{to: [{podSelector: {}}]}, {to: [{ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}]}], ingress: [{ports: [{port: web}]}]}"},
		allowed:  []string{"x/a > x/b TCP 8081 6", "y/a > x/a TCP 8080 6", "x/a > 2001:db8::1 TCP 443 6", "x/a > 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff TCP 443 6"},
		denied:   []string{"x/a > y/a TCP 80 6", "y/a > x/a TCP 80 6", "x/a > 2001:db8:1::1 TCP 443 6", "x/a > 2001:db9:: TCP 443 6", "x/a > x/b TCP 80 6", "x/a > outside TCP 80"},
	},
	{
		name:     "what cannot be understood allows nothing",
		policies: []string{"x: {podSelector: {}, ingress: [{ports: [{port: 80, endPort: 70}]}, {ports: [{port: web, endPort: 9000}]}, {from: [{ipBlock: {cidr: everywhere}}]}]}"},
		denied:   []string{"y/a > x/a TCP 80", "y/a > x/a TCP 8080", "outside > x/a TCP 1"},
		problems: 3,
	},
	{
		name:     "a selector that cannot be understood selects all pods to isolate, and no peer",
		policies: []string{"x: {podSelector: {matchExpressions: [{key: app, operator: Like, values: [a]}]}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In}]}}]}]}"},
		denied:   []string{"x/b > x/a TCP 80", "y/a > x/c TCP 80"},
		problems: 2,
	},
}
