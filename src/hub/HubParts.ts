/** What a running hub is made of, for those of its own parts that need the others. */
import type { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { HubClock } from "../actors/HubClock.js"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import type { RunKind } from "../actors/run/runKind.js"
import type { SenseKind } from "../actors/sense/decideSense.js"
import type { ServerKind } from "../actors/server/serverKind.js"
import type { WorkflowKind } from "../actors/workflow/workflowKind.js"
import type { Settings } from "../config/Settings.js"
import type { Blobs } from "../events/Blobs.js"
import type { Journal } from "../events/Journal.js"
import type { Rebuilt } from "../events/Writer.js"
import type { Followers } from "../http/Followers.js"
import type { Identities } from "../http/Identities.js"
import type { CallFailure } from "../http/serve.js"
import type { Tracing } from "../http/Tracing.js"
import type { Projector } from "../projections/Projector.js"
import type { AgentFiles } from "./AgentFiles.js"
import type { AuditLog } from "./auditLog.js"
import type { TakeBackup } from "./Backups.js"
import type { Configuration } from "./Configuration.js"
import type { HubLog } from "./hubLog.js"
import type { LedgerImporter } from "./LedgerImporter.js"
import type { Archive } from "./makeArchive.js"
import type { Metrics } from "./metrics.js"
import type { Postman } from "./Postman.js"
import type { PeerParts } from "./peers.js"
import type { Runs } from "./runs.js"
import type { Senses } from "./Senses.js"
import type { Sweeper } from "./Sweeper.js"

export interface HubParts extends PeerParts {
  readonly settings: Settings
  readonly system: ActorSystem["Type"]
  readonly journal: Journal["Type"]
  readonly projector: Projector["Type"]
  readonly clock: HubClock["Type"]
  readonly claimKind: ClaimKind
  readonly hubKind: HubKind
  readonly senseKind: SenseKind
  readonly senses: Senses
  readonly configuration: Configuration
  readonly workflowKind: WorkflowKind
  readonly runKind: RunKind
  readonly runs: Runs
  readonly blobs: Blobs
  readonly serverKind: ServerKind
  readonly followers: Followers
  readonly sweeper: Sweeper
  readonly importer: LedgerImporter
  readonly postman: Postman
  readonly log: HubLog
  readonly audit: AuditLog
  readonly metrics: Metrics
  readonly tracing: Tracing
  readonly identities: Identities
  /** Set where agents are known by their tokens. */
  readonly agentFiles: AgentFiles | undefined
  /** The hub's own state as of its newest committed event. */
  readonly hub: () => HubState
  readonly archive: Archive
  readonly takeBackup: TakeBackup
  /** Of this program. */
  readonly version: string
  readonly rebuild: (name: string, by: string) => Effect.Effect<Rebuilt, CallFailure>
  /** Records a fault in this program. */
  readonly onDefect: (error: unknown) => void
}
