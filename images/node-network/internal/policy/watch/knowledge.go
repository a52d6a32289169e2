package watch

import (
	"sync"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// knowledge is until when a feed knows its resource. A watch that is open knows it now, however
// quiet it is; a list knew it when it came.
type knowledge struct {
	mu    sync.Mutex
	open  int
	until time.Time // of the first list or later; zero before
}

// since is when the feed knew its resource last; zero when it does now, or never did.
func (k *knowledge) since() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open > 0 {
		return time.Time{}
	}
	return k.until
}

func (k *knowledge) listed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Now()
}

// watched takes a watch that was opened and returns it, so that its end is noticed.
func (k *knowledge) watched(stream apiwatch.Interface) apiwatch.Interface {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open++
	return &noticed{Interface: stream, ended: sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.open--
		k.until = time.Now()
	})}
}

// noticed is a watch that tells of its end. The reflector stops each watch, also one that the
// server has ended.
type noticed struct {
	apiwatch.Interface
	ended func()
}

func (n *noticed) Stop() {
	n.Interface.Stop()
	n.ended()
}
