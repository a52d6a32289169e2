{{/* A pod's selector. Immutable in Kubernetes: never add to it. Call with (dict "root" $ "name" "vote"). */}}
{{- define "voting-app.selector" -}}
app: {{ .name }}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of pods: nothing that changes with the chart's version, which would restart them all. */}}
{{- define "voting-app.podLabels" -}}
{{ include "voting-app.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: voting-app
{{- end }}

{{/* Labels of every other object. */}}
{{- define "voting-app.labels" -}}
{{ include "voting-app.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Call with (dict "root" $ "image" .Values.vote.image). */}}
{{- define "voting-app.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end }}

{{/* What Pod Security `restricted` asks of a pod, and a numeric user. Call with (dict "uid" 10001). */}}
{{- define "voting-app.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "voting-app.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The start of every pod spec. Call with (dict "root" $ "name" "vote" "uid" 10001). */}}
{{- define "voting-app.podSpec" -}}
serviceAccountName: {{ .name }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "voting-app.podSecurity" . | nindent 2 }}
{{- end }}

{{/* Probes of the services of our own. Call with (dict "port" "http"). */}}
{{- define "voting-app.probes" -}}
startupProbe:
  httpGet: { path: /health, port: {{ .port }} }
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: { path: /ready, port: {{ .port }} }
  periodSeconds: 2
  # Longer than the service's own look at Redis or Postgres takes to fail.
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* A ServiceAccount without a mounted token. Call with (dict "root" $ "name" "vote" "component" "frontend"). */}}
{{- define "voting-app.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "voting-app.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}

{{/* A Service from `<name>-service:<port>` to the port named `target`. `expose` is the values' service or absent. */}}
{{- define "voting-app.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}-service
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "voting-app.labels" . | nindent 4 }}
spec:
  type: {{ dig "type" "ClusterIP" (default dict .expose) }}
  selector:
    {{- include "voting-app.selector" . | nindent 4 }}
  ports:
    - name: {{ .target }}
      port: {{ .port }}
      targetPort: {{ .target }}
      protocol: TCP
      {{- if .appProtocol }}
      appProtocol: {{ .appProtocol }}
      {{- end }}
      {{- if and .expose (eq .expose.type "NodePort") .expose.nodePort }}
      nodePort: {{ .expose.nodePort }}
      {{- end }}
{{- end }}

{{- define "voting-app.postgresSecretName" -}}
{{ default "postgres-credentials" .Values.postgres.existingSecret.name }}
{{- end }}

{{- define "voting-app.postgresSecretKey" -}}
{{ if .Values.postgres.existingSecret.name }}{{ .Values.postgres.existingSecret.key }}{{ else }}password{{ end }}
{{- end }}

{{/* How a client finds Postgres; the password is a file, which a debugger's `env` does not show. */}}
{{- define "voting-app.postgresClientEnv" -}}
- name: POSTGRES_HOST
  value: postgres-service
- name: POSTGRES_PORT
  value: '5432'
- name: POSTGRES_DB
  value: {{ .Values.postgres.database | quote }}
- name: POSTGRES_USER
  value: {{ .Values.postgres.user | quote }}
- name: POSTGRES_PASSWORD_FILE
  value: /run/secrets/postgres/password
{{- end }}

{{- define "voting-app.postgresClientVolume" -}}
- name: postgres-credentials
  secret:
    secretName: {{ include "voting-app.postgresSecretName" . }}
    defaultMode: 0440
    items:
      - key: {{ include "voting-app.postgresSecretKey" . }}
        path: password
{{- end }}
