/** The environment without what is meant for a hub: tests may themselves run inside of a peer's session. */
export const cleanEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(MOUND|IAPEER)_/.test(name))
)
