{{- define "llama-server.selector" -}}
app.kubernetes.io/name: llama-server
app.kubernetes.io/instance: {{ .Release.Name | toJson }}
{{- end }}

{{- define "llama-server.labels" -}}
{{ include "llama-server.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service | toJson }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | toJson }}
{{- end }}

{{- define "llama-server.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest | toJson }}
{{- else }}{{ printf "%s:%s" $image.repository (required "image.tag: name a build, such as server-cuda13-b11669" $image.tag) | toJson }}
{{- end }}
{{- end }}

{{- /* A value as text. Helm holds numbers as floats: only JSON writes 1048576 without an exponent. */ -}}
{{- define "llama-server.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{- /* Text that Kubernetes shall not expand: it replaces $(NAME) in arguments and environment, and reads $$ as $. */ -}}
{{- define "llama-server.verbatim" -}}
{{- include "llama-server.text" . | replace "$" "$$" | toJson }}
{{- end }}

{{- define "llama-server.args" -}}
{{- with .Values.model.path }}
- "--model"
- {{ include "llama-server.verbatim" . }}
{{- end }}
- "--host"
- "0.0.0.0"
- "--port"
- "8080"
{{- with .Values.model.alias }}
- "--alias"
- {{ include "llama-server.verbatim" . }}
{{- end }}
{{- if .Values.auth.existingSecret }}
- "--api-key-file"
- "/secrets/auth/api-keys"
{{- end }}
{{- range $option, $value := .Values.args }}
{{- if kindIs "bool" $value }}
{{- if $value }}
- {{ printf "--%s" $option | toJson }}
{{- end }}
{{- else if not (kindIs "invalid" $value) }}
- {{ printf "--%s" $option | toJson }}
- {{ include "llama-server.verbatim" $value }}
{{- end }}
{{- end }}
{{- end }}

{{- define "llama-server.env" -}}
{{- range $name, $value := . }}
{{- if not (kindIs "invalid" $value) }}
- name: {{ $name | toJson }}
  value: {{ include "llama-server.verbatim" $value }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Lines of `sha256 url name` for scripts/fetch-model; none where it shall find the files itself. */ -}}
{{- define "llama-server.files" -}}
{{- $model := .Values.model }}
{{- range $name, $file := $model.files }}
{{- $url := printf "%s/%s/resolve/%s/%s" $model.endpoint $model.repository $model.revision $name }}
{{- printf "%s %s %s\n" $file.sha256 (default $url $file.url) $name }}
{{- end }}
{{- end }}

{{- /* Labels that a node must have: {label: {operator: value or values}} as the terms of a node affinity. */ -}}
{{- define "llama-server.nodeTerms" -}}
{{- range $label, $rule := . }}
{{- range $operator, $value := $rule }}
- key: {{ $label | toJson }}
  operator: {{ $operator }}
  {{- if not (has $operator (list "Exists" "DoesNotExist")) }}
  values:
    {{- range ternary $value (list $value) (kindIs "slice" $value) }}
    - {{ include "llama-server.text" . | toJson }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "llama-server.claim" -}}
{{- default .Release.Name .Values.persistence.existingClaim }}
{{- end }}
