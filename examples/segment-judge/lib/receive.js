// From a call to what a destination does: the platform's part as far as it can be had, and the
// destination's own code.
'use strict'

const offline = require('./offline')

class Receiver {
  constructor(require) {
    this.load = require
    this.Destination = require('@segment/actions-core').Destination
    this.Facade = require('@segment/facade').Facade ?? require('@segment/facade')
    this.running = new Map()
  }

  definition({ slug }) {
    return this.load(`@segment/action-destinations/dist/destinations/${slug}`).default
  }

  // Which destinations a call is routed to, by its `integrations`: each name that it says, in any case.
  routes(destination, call) {
    return new this.Facade(structuredClone(call)).enabled(this.definition(destination).name)
  }

  // What the destination does with the calls, one after the other, with those that repeat a
  // `messageId` dropped; with `cache`, nobody drops them but the destination itself.
  async effects(destination, calls, computation, cache) {
    const seen = new Set()
    const effects = []
    for (const call of calls) {
      if (!this.routes(destination, call)) continue
      if (!cache && seen.has(call.messageId)) continue
      seen.add(call.messageId)
      effects.push(...(await this.of(destination, call, computation, cache)))
    }
    return effects.sort()
  }

  async of(destination, call, computation, cache) {
    const definition = this.definition(destination)
    const mapping = { ...destination.mapping, ...destination.mappingOf?.(computation) }
    const subscriptions = Object.entries(destination.actions).map(([name, { subscribe }]) => {
      const action = definition.actions[name]
      const fields = Object.entries(action.fields).filter(([, field]) => field.default !== undefined)
      const defaults = Object.fromEntries(fields.map(([field, { default: value }]) => [field, value]))
      return { partnerAction: name, subscribe: subscribe ?? action.defaultSubscription, mapping: { ...defaults, ...mapping } }
    })
    const silent = { info() {}, error() {}, warn() {}, debug() {} }
    const statsClient = { incr() {}, histogram() {}, set() {}, observe() {} }
    offline.listen(destination.answer)
    const running = new this.Destination(definition)
    try {
      await running.onEvent(
        // As it arrives: from JSON, with the time at which it was received.
        { receivedAt: '2026-01-05T10:00:01.000Z', ...JSON.parse(JSON.stringify(call)) },
        { ...destination.settings, subscriptions, oauth: { access_token: 'token' } },
        {
          features: cache ? { 'engage-cache-send-message': true } : {},
          engageDestinationCache: cache,
          statsContext: { tags: [], statsClient },
          logger: silent
        }
      )
    } catch (error) {
      offline.taken()
      this.lastError = `${destination.id}: ${error.message}`
      return ['refuses the call']
    }
    return offline.taken().flatMap((request) => destination.did(request))
  }
}

// What senders remember, as they expect it.
function memory() {
  const entries = new Map()
  return {
    maxExpiryTimeInSeconds: 14_400,
    maxValueSizeBytes: 100_000,
    async getByKey(key) {
      return entries.get(key) ?? null
    },
    async setByKey(key, value) {
      entries.set(key, value)
      return true
    },
    async setByKeyNX(key, value) {
      if (entries.has(key)) return false
      entries.set(key, value)
      return true
    },
    async delByKey(key) {
      return entries.delete(key) ? 1 : 0
    }
  }
}

module.exports = { Receiver, memory }
