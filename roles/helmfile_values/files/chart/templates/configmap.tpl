apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name | toJson }}
  namespace: {{ .Release.Namespace | toJson }}
  labels:
    {{- include "llama-server.labels" . | nindent 4 }}
data:
  files: {{ include "llama-server.files" . | toJson }}
  fetch-model: |
    {{- .Files.Get "scripts/fetch-model" | nindent 4 }}
  serve: |
    {{- .Files.Get "scripts/serve" | nindent 4 }}
  complete: |
    {{- .Files.Get "scripts/complete" | nindent 4 }}
