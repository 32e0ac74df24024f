# helm test (helmfile test): one completion through the service
apiVersion: v1
kind: Pod
metadata:
  name: {{ printf "%s-completion" .Release.Name | toJson }}
  namespace: {{ .Release.Namespace | toJson }}
  labels:
    app.kubernetes.io/name: llama-server-test
    app.kubernetes.io/instance: {{ .Release.Name | toJson }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  securityContext: {{ toJson .Values.podSecurityContext }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- range $name, $toleration := . }}
    - {{ toJson $toleration }}
    {{- end }}
  {{- end }}
  # Beside the server, where the image is already
  affinity:
    podAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "llama-server.selector" . | nindent 16 }}
  containers:
    - name: completion
      image: {{ include "llama-server.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: ["/bin/sh", "/scripts/complete"]
      env:
        - name: SERVICE_URL
          value: {{ printf "http://%s:%v" .Release.Name .Values.service.port | toJson }}
      securityContext: {{ toJson .Values.securityContext }}
      resources: {{ toJson .Values.fetchResources }}
      volumeMounts:
        - {name: scripts, mountPath: /scripts, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- if .Values.auth.existingSecret }}
        - {name: auth, mountPath: /secrets/auth, readOnly: true}
        {{- end }}
  volumes:
    - name: scripts
      configMap: {name: {{ .Release.Name | toJson }}}
    - name: tmp
      emptyDir: {}
    {{- with .Values.auth }}
    {{- if .existingSecret }}
    - name: auth
      secret: {secretName: {{ .existingSecret | toJson }}, items: [{key: {{ .key | toJson }}, path: api-keys}], defaultMode: 0440}
    {{- end }}
    {{- end }}
