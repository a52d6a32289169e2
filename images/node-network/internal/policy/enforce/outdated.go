package enforce

import (
	"fmt"
	"strings"
	"time"

	"github.com/org/k8s-platform/images/node-network/internal/policy/watch"
)

// outdatedAfter is how long lists and watches of a resource may fail before what is known of it
// counts as too old: longer than the API server's watches are apart, and than trying again takes.
const outdatedAfter = 5 * time.Second

// outdated names those of the resources that have not been followed for too long.
func (e *Enforcer) outdated(now time.Time, resources ...string) string {
	var reasons []string
	for _, resource := range resources {
		if since := e.source.NotCurrentSince(resource); !since.IsZero() && now.Sub(since) > outdatedAfter {
			reasons = append(reasons, fmt.Sprintf("%s are not followed since %s", resource, since.UTC().Format(time.RFC3339)))
		}
	}
	return strings.Join(reasons, "; ")
}

// notCurrentSince is what the status asks for.
func (e *Enforcer) notCurrentSince() map[string]time.Time {
	all := map[string]time.Time{}
	for _, resource := range watch.Resources {
		all[resource] = e.source.NotCurrentSince(resource)
	}
	return all
}
