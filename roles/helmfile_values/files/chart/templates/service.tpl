apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name | toJson }}
  namespace: {{ .Release.Namespace | toJson }}
  labels:
    {{- include "llama-server.labels" . | nindent 4 }}
  {{- with .Values.service.annotations }}
  annotations: {{ toJson . }}
  {{- end }}
spec:
  type: {{ .Values.service.type }}
  selector:
    {{- include "llama-server.selector" . | nindent 4 }}
  ports:
    - {name: http, port: {{ toJson .Values.service.port }}, targetPort: http, protocol: TCP}
