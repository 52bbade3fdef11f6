"""The rows of the table of fields; `fields` explains and reads them.

A type stands at the beginning of a line, "Type: Base" takes over the rows of another one. Its fields follow, indented:
name, support (yes, kept, no), the type of what it holds where rows of it follow, and after "|" a note. Lists and maps
have the type of their items.
"""

from __future__ import annotations

__all__ = ["ROWS"]

ROWS = """
WorkflowSpec
  activeDeadlineSeconds         yes
  affinity                      kept                       | there is one node; stays on the pod
  archiveLogs                   no                         | logs stay with the pod; no artifact repository yet
  arguments                     yes Arguments
  artifactGC                    no                         | artifacts are not supported yet
  artifactRepositoryRef         no                         | artifacts are not supported yet
  automountServiceAccountToken  yes
  dnsConfig                     kept                       | names are resolved as on the host; stays on the pod
  dnsPolicy                     kept                       | names are resolved as on the host; stays on the pod
  entrypoint                    yes
  executor                      yes Executor
  hooks                         yes Hooks
  hostAliases                   no                         | /etc/hosts is the host's
  hostNetwork                   kept                       | every pod is on the host's network; stays on the pod
  imagePullSecrets              kept                       | nothing is pulled; stays on the pod
  metrics                       no
  nodeSelector                  kept                       | there is one node; stays on the pod
  onExit                        yes
  parallelism                   yes
  podDisruptionBudget           no                         | nothing evicts pods here
  podGC                         yes PodGC
  podMetadata                   yes Metadata
  podPriority                   kept                       | nothing preempts pods here; stays on the pod
  podPriorityClassName          kept                       | nothing preempts pods here; stays on the pod
  podResources                  no
  podSpecPatch                  yes
  priority                      yes                        | gives {{workflow.priority}}
  retryStrategy                 yes RetryStrategy
  schedulerName                 kept                       | there is one node; stays on the pod
  securityContext               yes                        | what cannot be met is refused when the pod starts
  serviceAccountName            yes
  shutdown                      yes
  suspend                       yes
  synchronization               no
  templateDefaults              yes Template
  templates                     yes Template
  tolerations                   kept                       | there is one node; stays on the pod
  ttlStrategy                   yes TTLStrategy
  volumeClaimGC                 no                         | volume claims are not supported yet
  volumeClaimTemplates          no                         | volume claims are not supported yet
  volumes                       yes Volume
  workflowMetadata              yes WorkflowMetadata
  workflowTemplateRef           yes WorkflowTemplateRef

Template
  activeDeadlineSeconds         yes
  affinity                      kept                       | there is one node; stays on the pod
  annotations                   no                         | display names are not supported yet
  archiveLocation               no                         | artifacts are not supported yet
  automountServiceAccountToken  yes
  container                     yes Container
  containerSet                  no
  daemon                        no
  dag                           yes DAGTemplate
  data                          no
  executor                      yes Executor
  failFast                      yes
  hostAliases                   no                         | /etc/hosts is the host's
  http                          yes HTTP
  initContainers                yes UserContainer
  inputs                        yes Inputs
  memoize                       no
  metadata                      yes Metadata
  metrics                       no
  name                          yes
  nodeSelector                  kept                       | there is one node; stays on the pod
  outputs                       yes Outputs
  parallelism                   yes
  pendingTimeout                no
  plugin                        no
  podResources                  no
  podSpecPatch                  yes
  priority                      kept                       | nothing preempts pods here; stays on the pod
  priorityClassName             kept                       | nothing preempts pods here; stays on the pod
  resource                      no
  retryStrategy                 yes RetryStrategy
  schedulerName                 kept                       | there is one node; stays on the pod
  script                        yes Script
  securityContext               yes                        | what cannot be met is refused when the pod starts
  serviceAccountName            yes
  sidecars                      yes UserContainer
  steps                         yes WorkflowStep           | a list of groups, each a list of steps
  suspend                       yes SuspendTemplate
  synchronization               no
  timeout                       yes
  tolerations                   kept                       | there is one node; stays on the pod
  volumes                       yes Volume

WorkflowStep
  arguments                     yes Arguments
  continueOn                    yes ContinueOn
  hooks                         yes Hooks
  inline                        yes Template
  name                          yes
  onExit                        yes                        | deprecated by Argo: hooks.exit
  template                      yes
  templateRef                   yes TemplateRef
  when                          yes
  withItems                     yes
  withParam                     yes
  withSequence                  yes Sequence

DAGTask: WorkflowStep
  dependencies                  yes
  depends                       yes

DAGTemplate
  failFast                      yes
  target                        yes
  tasks                         yes DAGTask

Hooks
  exit                          yes LifecycleHook
  *                             no                         | only the hook `exit` is supported yet

LifecycleHook
  arguments                     yes Arguments
  expression                    yes
  template                      yes
  templateRef                   yes TemplateRef

Arguments
  artifacts                     no                         | artifacts are not supported yet
  parameters                    yes Parameter

Inputs: Arguments

Outputs
  artifacts                     no                         | artifacts are not supported yet
  exitCode                      no                         | written by the controller, not in a manifest
  parameters                    yes Parameter
  result                        no                         | written by the controller, not in a manifest

Parameter
  default                       yes
  description                   yes
  enum                          yes
  globalName                    yes
  name                          yes
  value                         yes
  valueFrom                     yes ValueFrom

ValueFrom
  configMapKeyRef               yes KeyRef
  default                       yes
  event                         no                         | events are not supported yet
  expression                    yes
  jqFilter                      no                         | of resource templates, which are not supported yet
  jsonPath                      no                         | of resource templates, which are not supported yet
  parameter                     yes
  path                          yes
  supplied                      yes

KeyRef
  key                           yes
  name                          yes
  optional                      yes

RetryStrategy
  affinity                      kept                       | there is one node; stays in the workflow
  backoff                       yes Backoff
  expression                    yes
  limit                         yes
  retryPolicy                   yes

Backoff
  cap                           yes
  duration                      yes
  factor                        yes
  maxDuration                   yes

ContinueOn
  error                         yes
  failed                        yes

Sequence
  count                         yes
  end                           yes
  format                        yes
  start                         yes

SuspendTemplate
  duration                      yes

TemplateRef
  clusterScope                  yes
  name                          yes
  template                      yes

WorkflowTemplateRef
  clusterScope                  yes
  name                          yes

HTTP
  body                          yes
  bodyFrom                      yes HTTPBody
  headers                       yes HTTPHeader
  insecureSkipVerify            yes
  method                        yes
  successCondition              yes
  timeoutSeconds                yes
  url                           yes

HTTPBody
  bytes                         yes

HTTPHeader
  name                          yes
  value                         yes
  valueFrom                     yes HTTPHeaderSource

HTTPHeaderSource
  secretKeyRef                  yes KeyRef

Metadata
  annotations                   yes
  labels                        yes

WorkflowMetadata: Metadata
  labelsFrom                    yes LabelValueFrom

LabelValueFrom
  expression                    yes

PodGC
  deleteDelayDuration           yes
  labelSelector                 yes
  strategy                      yes

TTLStrategy
  secondsAfterCompletion        yes
  secondsAfterFailure           yes
  secondsAfterSuccess           yes

Executor
  serviceAccountName            yes

Container
  args                          yes
  command                       yes
  env                           yes EnvVar
  envFrom                       yes EnvFromSource
  image                         yes                        | a name for a command environment of this machine
  imagePullPolicy               kept                       | nothing is pulled; stays on the pod
  lifecycle                     no
  livenessProbe                 no
  name                          yes
  ports                         kept                       | every pod is on the host's network; stays on the pod
  readinessProbe                no
  resizePolicy                  kept                       | stays on the pod
  resources                     kept                       | counted in resourcesDuration; limits nothing here
  restartPolicy                 no
  securityContext               yes                        | what cannot be met is refused when the pod starts
  startupProbe                  no
  stdin                         kept                       | standard input is empty; stays on the pod
  stdinOnce                     kept                       | standard input is empty; stays on the pod
  terminationMessagePath        yes
  terminationMessagePolicy      yes
  tty                           no
  volumeDevices                 no
  volumeMounts                  yes VolumeMount
  workingDir                    yes

Script: Container
  source                        yes

UserContainer: Container
  mirrorVolumeMounts            yes

EnvVar
  name                          yes
  value                         yes
  valueFrom                     yes EnvVarSource

EnvVarSource
  configMapKeyRef               yes KeyRef
  fieldRef                      yes
  fileKeyRef                    no
  resourceFieldRef              yes
  secretKeyRef                  yes KeyRef

EnvFromSource
  configMapRef                  yes
  prefix                        yes
  secretRef                     yes

VolumeMount
  mountPath                     yes
  mountPropagation              kept                       | stays on the pod
  name                          yes
  readOnly                      yes
  recursiveReadOnly             kept                       | stays on the pod
  subPath                       yes
  subPathExpr                   yes

Volume
  awsElasticBlockStore          no
  azureDisk                     no
  azureFile                     no
  cephfs                        no
  cinder                        no
  configMap                     yes
  csi                           no
  downwardAPI                   yes
  emptyDir                      yes
  ephemeral                     no
  fc                            no
  flexVolume                    no
  flocker                       no
  gcePersistentDisk             no
  gitRepo                       no
  glusterfs                     no
  hostPath                      yes                        | below the folders that the settings allow
  image                         no
  iscsi                         no
  name                          yes
  nfs                           no
  persistentVolumeClaim         no                         | volume claims are not supported yet
  photonPersistentDisk          no
  portworxVolume                no
  projected                     yes
  quobyte                       no
  rbd                           no
  scaleIO                       no
  secret                        yes
  storageos                     no
  vsphereVolume                 no

CronWorkflowSpec
  concurrencyPolicy             kept                       | CronWorkflows are stored; nothing starts them yet
  failedJobsHistoryLimit        kept                       | CronWorkflows are stored; nothing starts them yet
  schedule                      kept                       | CronWorkflows are stored; nothing starts them yet
  schedules                     kept                       | CronWorkflows are stored; nothing starts them yet
  startingDeadlineSeconds       kept                       | CronWorkflows are stored; nothing starts them yet
  stopStrategy                  kept                       | CronWorkflows are stored; nothing starts them yet
  successfulJobsHistoryLimit    kept                       | CronWorkflows are stored; nothing starts them yet
  suspend                       kept                       | CronWorkflows are stored; nothing starts them yet
  timezone                      kept                       | CronWorkflows are stored; nothing starts them yet
  when                          kept                       | CronWorkflows are stored; nothing starts them yet
  workflowMetadata              kept                       | CronWorkflows are stored; nothing starts them yet
  workflowSpec                  yes WorkflowSpec
"""
