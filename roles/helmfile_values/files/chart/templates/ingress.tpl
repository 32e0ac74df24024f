{{- if .Values.ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .Release.Name | toJson }}
  namespace: {{ .Release.Namespace | toJson }}
  labels:
    {{- include "llama-server.labels" . | nindent 4 }}
  {{- with .Values.ingress.annotations }}
  annotations: {{ toJson . }}
  {{- end }}
spec:
  {{- with .Values.ingress.className }}
  ingressClassName: {{ . | toJson }}
  {{- end }}
  rules:
    {{- range $host, $settings := required "ingress.hosts: name at least one host" .Values.ingress.hosts }}
    - host: {{ $host | toJson }}
      http:
        paths:
          - path: {{ $settings.path | default "/" | toJson }}
            pathType: Prefix
            backend:
              service: {name: {{ $.Release.Name | toJson }}, port: {name: http}}
    {{- end }}
  {{- $tls := list }}
  {{- range $host, $settings := .Values.ingress.hosts }}
  {{- with $settings.tlsSecret }}
  {{- $tls = append $tls (dict "hosts" (list $host) "secretName" .) }}
  {{- end }}
  {{- end }}
  {{- with $tls }}
  tls: {{ toJson . }}
  {{- end }}
{{- end }}
