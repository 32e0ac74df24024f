{{- $model := .Values.model }}
{{- if not (or $model.path $model.files (and $model.repository $model.quant)) }}
{{- fail "model: give repository and quant, or files, or the path of a file on the volume" }}
{{- end }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name | toJson }}
  namespace: {{ .Release.Namespace | toJson }}
  labels:
    {{- include "llama-server.labels" . | nindent 4 }}
spec:
  replicas: {{ toJson .Values.replicaCount }}
  revisionHistoryLimit: 3
  progressDeadlineSeconds: {{ toJson .Values.progressDeadlineSeconds }}
  # The old pod must let go of the GPUs before the new one can have them
  strategy: {{ toJson .Values.updateStrategy }}
  selector:
    matchLabels:
      {{- include "llama-server.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "llama-server.selector" . | nindent 8 }}
        {{- range $label, $value := .Values.podLabels }}
        {{ $label | toJson }}: {{ include "llama-server.text" $value | toJson }}
        {{- end }}
      annotations:
        checksum/scripts: {{ include (print $.Template.BasePath "/configmap.tpl") . | sha256sum }}
        {{- range $annotation, $value := .Values.podAnnotations }}
        {{ $annotation | toJson }}: {{ include "llama-server.text" $value | toJson }}
        {{- end }}
    spec:
      automountServiceAccountToken: false
      # Services of the namespace would become variables, and llama-server reads those that begin with LLAMA_ARG_
      enableServiceLinks: false
      {{- with .Values.serviceAccountName }}
      serviceAccountName: {{ . | toJson }}
      {{- end }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{ toJson . }}
      {{- end }}
      {{- with .Values.runtimeClassName }}
      runtimeClassName: {{ . | toJson }}
      {{- end }}
      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . | toJson }}
      {{- end }}
      terminationGracePeriodSeconds: {{ toJson .Values.terminationGracePeriodSeconds }}
      securityContext: {{ toJson .Values.podSecurityContext }}
      {{- with .Values.nodeSelector }}
      nodeSelector: {{ toJson . }}
      {{- end }}
      {{- with include "llama-server.nodeTerms" .Values.nodeRequirements }}
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions:
                  {{- trim . | nindent 18 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- range $name, $toleration := . }}
        - {{ toJson $toleration }}
        {{- end }}
      {{- end }}
      {{- if not $model.path }}
      initContainers:
        - name: fetch-model
          image: {{ include "llama-server.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: ["/bin/sh", "/scripts/fetch-model"]
          env:
            - name: MODEL_FOLDER
              value: /models/{{ .Release.Name }}
            - name: MODEL_ENDPOINT
              value: {{ include "llama-server.verbatim" $model.endpoint }}
            - name: MODEL_REPOSITORY
              value: {{ include "llama-server.verbatim" $model.repository }}
            - name: MODEL_REVISION
              value: {{ include "llama-server.verbatim" $model.revision }}
            - name: MODEL_QUANT
              value: {{ include "llama-server.verbatim" $model.quant }}
            {{- include "llama-server.env" .Values.env | trim | nindent 12 }}
          securityContext: {{ toJson .Values.securityContext }}
          resources: {{ toJson .Values.fetchResources }}
          volumeMounts:
            - {name: models, mountPath: /models}
            - {name: scripts, mountPath: /scripts, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if .Values.hubToken.existingSecret }}
            - {name: hub-token, mountPath: /secrets/hub, readOnly: true}
            {{- end }}
      {{- end }}
      containers:
        - name: llama-server
          image: {{ include "llama-server.image" . }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          {{- if $model.path }}
          command: [{{ include "llama-server.verbatim" .Values.image.program }}]
          {{- else }}
          command: ["/bin/sh", "/scripts/serve", {{ include "llama-server.verbatim" .Values.image.program }}]
          {{- end }}
          args:
            {{- include "llama-server.args" . | trim | nindent 12 }}
          env:
            - name: HOME
              value: /tmp
            - name: CUDA_CACHE_PATH
              value: /cache
            - name: MODEL_FOLDER
              value: /models/{{ .Release.Name }}
            {{- include "llama-server.env" .Values.env | trim | nindent 12 }}
          ports:
            - {name: http, containerPort: 8080, protocol: TCP}
          # /health answers without a key: 503 while the model loads, then 200
          {{- range $kind := list "startupProbe" "livenessProbe" "readinessProbe" }}
          {{- with index $.Values $kind }}
          {{ $kind }}: {{ merge (deepCopy .) (dict "httpGet" (dict "path" "/health" "port" "http")) | toJson }}
          {{- end }}
          {{- end }}
          securityContext: {{ toJson .Values.securityContext }}
          resources: {{ toJson .Values.resources }}
          volumeMounts:
            - {name: models, mountPath: /models, readOnly: true}
            {{- if $model.path }}
            - {name: cache, mountPath: /cache}
            {{- else }}
            - {name: models, mountPath: /cache, subPath: {{ .Release.Name }}/.cache}
            {{- end }}
            - {name: scripts, mountPath: /scripts, readOnly: true}
            - {name: tmp, mountPath: /tmp}
            {{- if .Values.auth.existingSecret }}
            - {name: auth, mountPath: /secrets/auth, readOnly: true}
            {{- end }}
      volumes:
        - name: models
          {{- if .Values.persistence.hostPath }}
          hostPath: {path: {{ .Values.persistence.hostPath | toJson }}, type: DirectoryOrCreate}
          {{- else if .Values.persistence.enabled }}
          persistentVolumeClaim: {claimName: {{ include "llama-server.claim" . | toJson }}}
          {{- else }}
          emptyDir: {sizeLimit: {{ .Values.persistence.size | toJson }}}
          {{- end }}
        - name: scripts
          configMap: {name: {{ .Release.Name | toJson }}}
        - name: tmp
          emptyDir: {}
        {{- if $model.path }}
        - name: cache
          emptyDir: {}
        {{- end }}
        {{- with .Values.hubToken }}
        {{- if .existingSecret }}
        - name: hub-token
          secret: {secretName: {{ .existingSecret | toJson }}, items: [{key: {{ .key | toJson }}, path: token}], defaultMode: 0440}
        {{- end }}
        {{- end }}
        {{- with .Values.auth }}
        {{- if .existingSecret }}
        - name: auth
          secret: {secretName: {{ .existingSecret | toJson }}, items: [{key: {{ .key | toJson }}, path: api-keys}], defaultMode: 0440}
        {{- end }}
        {{- end }}
