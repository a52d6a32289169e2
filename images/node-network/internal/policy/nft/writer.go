// Package nft writes the tables of package policy to the kernel, as the differences to what it
// holds already.
package nft

import (
	"fmt"
	"maps"
	"net/netip"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"github.com/vishvananda/netns"

	"github.com/org/k8s-platform/images/node-network/internal/policy"
)

// TableName is the name of the tables, in the families ip and ip6.
const TableName = "k8s_platform_policy"

// Writer keeps the tables of one network namespace. It is not safe for concurrent use.
type Writer struct {
	namespace netns.NsHandle
	// kernel is what the tables hold; nil as long as that is not known.
	kernel [2]*content
}

// NewWriter returns the writer of the namespace given, or of the current one for netns.None().
// It reads and writes nothing yet.
func NewWriter(namespace netns.NsHandle) *Writer { return &Writer{namespace: namespace} }

func (w *Writer) namespaceFd() int {
	if !w.namespace.IsOpen() {
		return 0
	}
	return int(w.namespace)
}

func (w *Writer) connect() (*nftables.Conn, error) {
	// A transaction is one message to the kernel, and each of its parts is acknowledged.
	const buffer = 32 << 20
	return nftables.New(nftables.WithNetNSFd(w.namespaceFd()), nftables.WithSockOptions(
		func(conn *netlink.Conn) error { return conn.SetReadBuffer(buffer) },
		func(conn *netlink.Conn) error { return conn.SetWriteBuffer(buffer) },
	))
}

// Sync makes the kernel hold the table, and returns how many transactions that took. It
// compares what changed since the last call; with check, or after a failure, all of it with what
// the kernel really holds, so that what stood before this process is taken over as it is.
func (w *Writer) Sync(table *policy.Table, check bool) (int, error) {
	index := 1
	if table.IPv4 {
		index = 0
	}
	f := families[index]
	changes := table.TakeChanges()
	if check || w.kernel[index] == nil {
		content, err := w.read(f)
		if err != nil {
			w.kernel[index] = nil
			return 0, fmt.Errorf("read nftables table %s %s: %w", f.name, TableName, err)
		}
		w.kernel[index] = content
		changes = everything(table, content)
	}
	if !changes.Any() || (table.Empty() && !w.kernel[index].exists) {
		return 0, nil
	}
	conn, err := w.connect()
	if err != nil {
		w.kernel[index] = nil
		return 0, err
	}
	u := &update{family: f, conn: conn, kernel: w.kernel[index], table: &nftables.Table{Name: TableName, Family: f.table}}
	if err := u.run(table, changes); err != nil {
		w.kernel[index] = nil
		return u.transactions, fmt.Errorf("write nftables table %s %s: %w", f.name, TableName, err)
	}
	return u.transactions, nil
}

// everything names all that is in either place.
func everything(table *policy.Table, kernel *content) policy.Changes {
	changes := policy.Changes{Sets: map[string]struct{}{}, Chains: map[string]struct{}{}}
	collect(changes.Sets, maps.Keys(table.Sets), maps.Keys(kernel.sets))
	collect(changes.Chains, maps.Keys(table.Chains), maps.Keys(kernel.chains))
	for _, direction := range policy.Directions {
		delete(changes.Chains, baseName(direction))
		changes.Isolated[direction] = map[netip.Addr]struct{}{}
		collect(changes.Isolated[direction], maps.Keys(table.Isolated[direction]), maps.Keys(kernel.isolated[direction]))
	}
	return changes
}

func collect[K comparable](into map[K]struct{}, from ...func(func(K) bool)) {
	for _, keys := range from {
		for key := range keys {
			into[key] = struct{}{}
		}
	}
}

func baseName(direction policy.Direction) string { return "forward-" + direction.String() }
