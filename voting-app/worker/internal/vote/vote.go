// Package vote knows what a vote is and reads one from the queue's form.
package vote

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Vote is one accepted vote. Sequence is its place in the order of acceptance and greater than zero.
type Vote struct {
	ID         string    `json:"voteId"`
	Voter      string    `json:"voterId"`
	Choice     string    `json:"choice"`
	Sequence   int64     `json:"sequence"`
	AcceptedAt time.Time `json:"acceptedAt"`
}

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	voterForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
)

// Parse reads a queued record. The error says what is wrong with it without repeating the record.
func Parse(payload string) (Vote, error) {
	var v Vote
	if err := json.Unmarshal([]byte(payload), &v); err != nil {
		return Vote{}, fmt.Errorf("not a JSON vote: %w", err)
	}
	v.ID = strings.ToLower(v.ID)
	switch {
	case !uuidForm.MatchString(v.ID):
		return Vote{}, fmt.Errorf("voteId: want a UUID")
	case !voterForm.MatchString(v.Voter):
		return Vote{}, fmt.Errorf("voterId: want 1 to 128 of A-Z a-z 0-9 . _ : -")
	case v.Choice != "a" && v.Choice != "b":
		return Vote{}, fmt.Errorf("choice: want a or b")
	case v.Sequence <= 0:
		return Vote{}, fmt.Errorf("sequence: want a number greater than 0")
	case v.AcceptedAt.IsZero():
		return Vote{}, fmt.Errorf("acceptedAt: want a time in RFC 3339 form")
	}
	return v, nil
}
