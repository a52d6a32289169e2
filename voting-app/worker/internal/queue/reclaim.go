package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Beat tells the other workers that this one lives.
func (q *Queue) Beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// Extending a key works in a full Redis, setting one does not.
	extended, err := q.redis.PExpire(ctx, heartbeatPrefix+q.worker, q.heartbeatTTL).Result()
	if err == nil && !extended {
		err = q.redis.Set(ctx, heartbeatPrefix+q.worker, q.pod, q.heartbeatTTL).Err()
	}
	return explain("send the heartbeat", err)
}

// Reclaim puts back what dead workers had taken and returns how many records that was. A worker is dead when its
// heartbeat has lapsed, or when it ran in this very pod before this process did.
func (q *Queue) Reclaim(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reclaimed := 0
	lists := q.redis.Scan(ctx, 0, processingPrefix+"*", 100).Iterator()
	for lists.Next(ctx) {
		list := lists.Val()
		if list == q.processing {
			continue
		}
		worker := strings.TrimPrefix(list, processingPrefix)
		if !strings.HasPrefix(worker, q.pod+"/") {
			alive, err := q.redis.Exists(ctx, heartbeatPrefix+worker).Result()
			if err != nil {
				return reclaimed, explain("look for a heartbeat", err)
			}
			if alive == 1 {
				continue
			}
		}
		moved, err := q.putBack(ctx, list)
		reclaimed += moved
		if err != nil {
			return reclaimed, err
		}
	}
	return reclaimed, explain("look for abandoned votes", lists.Err())
}

// Leave puts back what this worker holds and ends its heartbeat, so that others need not wait for it to lapse.
func (q *Queue) Leave(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	moved, err := q.putBack(ctx, q.processing)
	if delErr := q.redis.Del(ctx, heartbeatPrefix+q.worker).Err(); err == nil {
		err = explain("end the heartbeat", delErr)
	}
	return moved, err
}

// putBack moves a processing list to the head of the queue, keeping the order.
func (q *Queue) putBack(ctx context.Context, list string) (int, error) {
	for moved := 0; ; moved++ {
		err := q.redis.LMove(ctx, list, Pending, "RIGHT", "LEFT").Err()
		if errors.Is(err, redis.Nil) {
			return moved, nil
		}
		if err != nil {
			return moved, explain("put votes back", err)
		}
	}
}
