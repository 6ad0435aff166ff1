/** Why a command to a peer is refused (contracts: peers 5), beside the reasons that every command may meet. */
import { Schema } from "effect"
import type { Explanations } from "../Refused.js"

export const PeerReason = Schema.Union(
  Schema.TaggedStruct("UnknownPeer", { personality: Schema.String }),
  Schema.TaggedStruct("NameReserved", { personality: Schema.String }),
  Schema.TaggedStruct("CwdMissing", { cwd: Schema.String }),
  Schema.TaggedStruct("CwdTaken", { cwd: Schema.String, by: Schema.String }),
  Schema.TaggedStruct("CwdConflict", { cwd: Schema.String, registered: Schema.String }),
  Schema.TaggedStruct("UnknownRuntime", { runtime: Schema.String }),
  Schema.TaggedStruct("NoCommand", { runtime: Schema.String }),
  Schema.TaggedStruct("RuntimeInUse", { runtime: Schema.String, state: Schema.String }),
  Schema.TaggedStruct("Removing", { personality: Schema.String }),
  Schema.TaggedStruct("RefusedLive", { identity: Schema.String, state: Schema.String })
)
export type PeerReason = typeof PeerReason.Type

/** What people are told about each. */
export const peerExplanations: Explanations<PeerReason> = {
  UnknownPeer: ({ personality }) => ({
    message: `there is no peer ${personality}`,
    fix: `register it: mound peer register ${personality} -- COMMAND`
  }),
  NameReserved: ({ personality }) => ({
    message: `the name ${personality} is the hub's own`,
    fix: "choose another name"
  }),
  CwdMissing: ({ cwd }) => ({
    message: `${cwd} is no directory that exists, or no absolute path`,
    fix: "create it first, or name another one"
  }),
  CwdTaken: ({ cwd, by }) => ({
    message: `${by} lives in ${cwd}, and both have a runtime that resumes by folder`,
    fix: "give this peer a folder of its own"
  }),
  CwdConflict: ({ cwd, registered }) => ({
    message: `this peer is registered in ${registered}, not in ${cwd}`,
    fix: "remove it first, or register it under another name"
  }),
  UnknownRuntime: ({ runtime }) => ({
    message: `no runtime ${runtime} is configured`,
    fix: "see mound peer runtimes, or add it under peers.runtimes in mound.yaml"
  }),
  NoCommand: ({ runtime }) => ({
    message: `nothing says what to run on ${runtime}`,
    fix: "give a command: mound peer register NAME -- COMMAND..."
  }),
  RuntimeInUse: ({ runtime, state }) => ({
    message: `the session on ${runtime} is ${state}`,
    fix: `stop it first: mound peer stop NAME ${runtime}`
  }),
  Removing: ({ personality }) => ({
    message: `${personality} is being removed`,
    fix: "wait for its sessions to end"
  }),
  RefusedLive: ({ identity, state }) => ({
    message: `${identity} is ${state}`,
    fix: "stop it first, or remove it with --force, which ends its sessions"
  })
}
