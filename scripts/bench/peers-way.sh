#!/usr/bin/env bash
# What most workflows do, for comparison: one step after the other, each with a blocking wait. Same programs, images, chart and machine as ours; the registry
# is filled already, as public ones are. It polls with sleeps because such scripts do.
#
# Environment: NAME, FOLDER (files that peers-inputs.ts wrote), KIND, KUBECTL, HELM, NODE_IMAGE, REGISTRY_IMAGE, REGISTRY_STORAGE, REGISTRY_PORT, NETWORK, CHART, VOTE_URL,
# APP_IMAGES (lines of `local image<space>repository:tag`), THROUGH (`nodes` or `vote`). Prints `mark <name> <epoch ms>`.
set -euo pipefail
export KUBECONFIG="$FOLDER/kubeconfig"
mark() { printf 'mark %s %s\n' "$1" "$(date +%s%3N)"; }

mark start
if [ "$THROUGH" = vote ]; then
  docker run --detach --name "$NAME-registry" --network "$NETWORK" --dns 127.0.0.1 --publish "127.0.0.1:$REGISTRY_PORT:5000" \
    --volume "$REGISTRY_STORAGE:/var/lib/registry" "$REGISTRY_IMAGE"
fi
"$KIND" create cluster --name "$NAME" --image "$NODE_IMAGE" --config "$FOLDER/kind.yaml" --kubeconfig "$KUBECONFIG"
"$KUBECTL" wait --for=condition=Ready nodes --all --timeout=300s
mark nodes
if [ "$THROUGH" = nodes ]; then exit; fi

for node in $("$KIND" get nodes --name "$NAME"); do
  docker cp "$FOLDER/certs.d/." "$node:/etc/containerd/certs.d"
done
while read -r local remote; do
  docker tag "$local" "$remote"
  docker push --quiet "$remote"
  docker image rm "$remote"
done <<< "$APP_IMAGES"
mark images

"$KUBECTL" --namespace kube-system rollout status deployment/coredns --timeout=300s
"$KUBECTL" apply --filename "$FOLDER/metrics-server.json"
"$KUBECTL" --namespace kube-system rollout status deployment/metrics-server --timeout=300s
"$KUBECTL" wait --for=condition=Available apiservice/v1beta1.metrics.k8s.io --timeout=300s
mark platform

"$HELM" upgrade --install voting-app "$CHART" --namespace voting-app --create-namespace --values "$FOLDER/values.json" --wait --timeout 5m
mark app

voter="bench-$(date +%s%N)"
body="{\"voteId\": \"$(cat /proc/sys/kernel/random/uuid)\", \"voterId\": \"$voter\", \"choice\": \"a\"}"
curl --silent --show-error --fail --retry 20 --retry-delay 1 --retry-all-errors --header 'Content-Type: application/json' --data "$body" "$VOTE_URL/api/votes"
postgres="$("$KUBECTL" --namespace voting-app get pod --selector app=postgres --output name)"
until "$KUBECTL" --namespace voting-app exec "$postgres" -- psql --username votes --no-align --tuples-only --command "SELECT 1 FROM ballots WHERE voter_id = '$voter'" votes | grep -q 1; do
  sleep 1
done
mark vote
