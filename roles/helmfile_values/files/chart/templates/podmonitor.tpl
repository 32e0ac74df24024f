{{- if .Values.podMonitor.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ .Release.Name | toJson }}
  namespace: {{ .Release.Namespace | toJson }}
  labels:
    {{- include "llama-server.labels" . | nindent 4 }}
    {{- range $label, $value := .Values.podMonitor.labels }}
    {{ $label | toJson }}: {{ include "llama-server.text" $value | toJson }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "llama-server.selector" . | nindent 6 }}
  podMetricsEndpoints:
    - port: http
      path: /metrics
      interval: {{ .Values.podMonitor.interval | toJson }}
      {{- with .Values.auth }}
      {{- if .existingSecret }}
      # With API keys, /metrics wants one too
      authorization:
        credentials: {name: {{ .existingSecret | toJson }}, key: {{ default .key $.Values.podMonitor.key | toJson }}}
      {{- end }}
      {{- end }}
{{- end }}
