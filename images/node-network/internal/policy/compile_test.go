package policy

import (
	"slices"
	"testing"
)

func TestProblemsNameTheFieldOfThePolicy(t *testing.T) {
	p := NewPlanner()
	policy := parsePolicy(t, "x", "p", `{podSelector: {}, policyTypes: [Ingress, Egress],
		ingress: [{from: [{ipBlock: {cidr: nowhere}}]}], egress: [{to: [{podSelector: {}}, {ipBlock: {cidr: nowhere}}]}]}`)
	want := []string{
		`NetworkPolicy x/p: spec.ingress[0].from[0].ipBlock.cidr is "nowhere", which is no address range`,
		`NetworkPolicy x/p: spec.egress[0].to[1].ipBlock.cidr is "nowhere", which is no address range`,
	}
	if got := p.SetPolicy(policy); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}
