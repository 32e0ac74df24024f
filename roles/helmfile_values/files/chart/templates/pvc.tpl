{{- with .Values.persistence }}
{{- if and .enabled (not .existingClaim) (not .hostPath) }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ $.Release.Name | toJson }}
  namespace: {{ $.Release.Namespace | toJson }}
  labels:
    {{- include "llama-server.labels" $ | nindent 4 }}
  {{- if .keep }}
  annotations:
    # The download outlives the release
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  accessModes: [{{ .accessMode }}]
  {{- with .storageClass }}
  storageClassName: {{ . | toJson }}
  {{- end }}
  resources:
    requests:
      storage: {{ .size | toJson }}
{{- end }}
{{- end }}
