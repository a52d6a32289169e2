package vote

import (
	"strings"
	"testing"
)

const good = `{"voteId":"0B5C8A2E-6a3f-4f0e-9d57-3c1f2a9be001","voterId":"voter-1","choice":"a","sequence":1795257265727160,"acceptedAt":"2026-11-21T10:34:25.725Z"}`

func TestParseReadsAQueuedVote(t *testing.T) {
	v, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != "0b5c8a2e-6a3f-4f0e-9d57-3c1f2a9be001" || v.Voter != "voter-1" || v.Choice != "a" || v.Sequence != 1795257265727160 || v.AcceptedAt.UnixMilli() != 1795257265725 {
		t.Fatalf("got %+v", v)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"no JSON":           {good, "cats!", "not a JSON vote"},
		"nothing":           {good, "", "not a JSON vote"},
		"a list":            {good, "[]", "not a JSON vote"},
		"no UUID":           {"0B5C8A2E", "x", "voteId"},
		"an injected voter": {"voter-1", `x'); DROP TABLE votes; --`, "voterId"},
		"a NUL in voter":    {"voter-1", `a\u0000b`, "voterId"},
		"a third choice":    {`"choice":"a"`, `"choice":"c"`, "choice"},
		"no sequence":       {"1795257265727160", "0", "sequence"},
		"a float sequence":  {"1795257265727160", "1.79e15", "not a JSON vote"},
		"no time":           {`,"acceptedAt":"2026-11-21T10:34:25.725Z"`, "", "acceptedAt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(strings.Replace(good, c.old, c.new, 1))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("want an error about %q, got %v", c.want, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Fuzz(func(t *testing.T, payload string) {
		v, err := Parse(payload)
		if err == nil && (len(v.ID) != 36 || v.Sequence <= 0 || (v.Choice != "a" && v.Choice != "b")) {
			t.Fatalf("accepted %q as %+v", payload, v)
		}
	})
}
