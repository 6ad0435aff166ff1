/** The actor kind `sense`: what is watched, in one stream `sense/<name>`. */
import type { ActorHistory, InvocationDefinition } from "../ActorKind.js"
import { makeFold } from "../fold.js"
import { decideSense, type SenseKind, type SenseRules, type SenseState } from "./decideSense.js"
import { senseUpcasters } from "./SenseEvent.js"
import { senseMachine } from "./senseMachine.js"

export type SenseInvocations = {
  readonly [Src in
    | "groupMember"
    | "intervals"
    | "awaitStart"
    | "compute"
    | "abortCompute"]: InvocationDefinition
}

export const senseHistory: ActorHistory = {
  name: "sense",
  version: 1,
  fold: makeFold(senseMachine),
  upcasters: senseUpcasters
}

const computeEnds = [
  "SenseComputeCompleted",
  "SignalEmitted",
  "SenseLaunched",
  "SenseDirectiveRejected",
  "SenseCircuitClosed"
]

export const makeSenseKind = (rules: SenseRules, invocations: SenseInvocations): SenseKind => ({
  ...senseHistory,
  yields: {
    TriggerSense: ["SenseTriggered", "SenseComputeStarted"],
    ResetSense: ["SenseCircuitClosed"],
    RegisterSense: ["SenseRegistered", "SenseReconfigured"],
    RemoveSense: ["SenseRemoved"],
    ArmSense: ["SenseArmed"],
    StartCompute: ["SenseComputeStarted"],
    RecordComputeResult: computeEnds,
    RecordComputeError: ["SenseComputeFailed"],
    RecordComputeAborted: ["SenseComputeAborted"],
    RecordSenseLoad: ["SenseLoaded", "SenseLoadFailed"],
    RecordSenseLoss: ["SenseWorkerLost", "SenseCircuitOpened"],
    ReloadSense: ["SenseReloading"],
    MendSense: ["SenseReloading", "SenseCircuitClosed"],
    RejectLaunch: ["SenseDirectiveRejected"]
  },
  startsWork: new Set(["TriggerSense", "StartCompute"]),
  decide: (state: SenseState, command, context) => decideSense(state, command, { ...context, rules }),
  invocations
})
