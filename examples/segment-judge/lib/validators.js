// What clients and the services behind them check before a call goes anywhere.
'use strict'

const WELL_FORMED_ID = /^[0-9a-f]{32}$/

class Validators {
  constructor(require) {
    this.loose = require('@segment/loosely-validate-event')
    this.Analytics = require('@segment/analytics-node').Analytics
    this.Rudder = require('@rudderstack/rudder-sdk-node')
  }

  // The first thing that anybody minds about a call; `null` if nobody minds anything.
  async refusal(call) {
    // Clients are given a date and write it themselves.
    const given = { ...structuredClone(call), timestamp: call.timestamp && new Date(call.timestamp) }
    const checks = {
      'the limits of an id': () => {
        // Receivers want letters, digits and hyphens, at most 36.
        if (!WELL_FORMED_ID.test(call.messageId)) throw new Error(`messageId ${call.messageId}`)
      },
      'loosely-validate-event': () => this.loose(given, call.type),
      'analytics-node': () => this.byAnalytics(given),
      'rudder-sdk-node': () => this.byRudder(given)
    }
    for (const [name, check] of Object.entries(checks)) {
      try {
        await check()
      } catch (error) {
        return `${name}: ${error.message}`
      }
    }
    return null
  }

  async byAnalytics(call) {
    const sent = []
    const client = new this.Analytics({
      writeKey: 'key',
      flushAt: 1,
      maxRetries: 0,
      disable: false,
      httpClient: {
        async makeRequest({ body, data }) {
          sent.push(...(data ?? JSON.parse(body)).batch)
          return { status: 200, statusText: 'OK', headers: { get: () => null } }
        }
      }
    })
    if (typeof client[call.type] !== 'function') throw new Error(`no call ${call.type}`)
    client[call.type](call)
    await client.closeAndFlush({ timeout: 1000 })
    this.carries('analytics-node', sent, call, ['messageId', 'userId', 'anonymousId', 'event', 'properties', 'traits', 'integrations'])
  }

  async byRudder(call) {
    const sent = []
    const post = async ({ data }) => {
      sent.push(...data.batch)
      return { status: 200 }
    }
    const axiosInstance = Object.assign(async (request) => post(request), {
      interceptors: { request: { use() {} }, response: { use() {} } },
      post: (_url, data) => post({ data })
    })
    const client = new this.Rudder('key', { dataPlaneUrl: 'https://example.com', gzip: false, flushAt: 1, flushInterval: 60_000, logLevel: 'off', axiosInstance })
    if (typeof client[call.type] !== 'function') throw new Error(`no call ${call.type}`)
    client[call.type](call)
    await client.flush()
    this.carries('rudder-sdk-node', sent, call, ['messageId', 'userId', 'anonymousId', 'event', 'properties', 'traits', 'integrations', 'external_ids'])
  }

  // Everything that a destination looks at has come through.
  carries(name, sent, call, fields) {
    if (sent.length !== 1) throw new Error(`${name} sent ${sent.length} calls`)
    for (const field of fields) {
      if (field === 'external_ids' && !call.external_ids) continue
      if (JSON.stringify(sent[0][field]) !== JSON.stringify(call[field])) throw new Error(`${field} became ${JSON.stringify(sent[0][field])}`)
    }
    if (JSON.stringify(sent[0].context.personas) !== JSON.stringify(call.context.personas)) throw new Error('context.personas is lost')
  }
}

module.exports = { Validators }
