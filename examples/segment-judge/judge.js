#!/usr/bin/env node
// Judges the Segment calls of `fixtures/segment/judged.json` by the code of the destinations that
// receive them. Started by scripts/segment-judge.sh, which says how.
'use strict'

const fs = require('fs')
const path = require('path')
const { createRequire } = require('module')

const offline = require('./lib/offline')
const destinations = require('./lib/destinations')
const { expected } = require('./lib/expected')
const plants = require('./lib/plants')
const { Receiver, memory } = require('./lib/receive')
const table = require('./lib/table')
const { Validators } = require('./lib/validators')

const DOCUMENT = path.join(__dirname, '../../docs/SEGMENT.md')

// Cases in which each planted mistake has somebody whom it harms.
const PLANTED_IN = ['entered', 'exited', 'entered_with_two_emails', 'trait_set', 'journey_step', 'entered_by_identify', 'exited_by_identify']

// What the destinations do with the calls, and where that is not what was decided.
async function judge(tools, one, calls, redelivered) {
  const wrong = []
  const did = {}
  for (const call of calls) {
    const refusal = await tools.validators.refusal(call)
    if (refusal) wrong.push({ by: refusal.split(':')[0], says: refusal })
  }
  for (const destination of destinations.filter(({ id }) => one.settings[id])) {
    const wanted = expected(destination, one, one.events).sort()
    const effects = await tools.receiver.effects(destination, calls, one.update.computation)
    compare(destination, wanted, effects, '')
    did[destination.id] = effects
    if (destination.kind === 'sender') {
      const twice = [...calls, ...redelivered]
      const cached = await tools.receiver.effects(destination, twice, one.update.computation, memory())
      compare(destination, wanted, cached, ' after a redelivery')
    }
  }
  return { wrong, did }

  function compare({ id }, wanted, effects, when) {
    if (JSON.stringify(effects) === JSON.stringify(wanted)) return
    const reason = effects.includes('refuses the call') ? `, because ${tools.receiver.lastError}` : ''
    wrong.push({ by: id, says: `${id} should do [${wanted.join('; ')}]${when}, and does [${effects.join('; ')}]${reason}` })
  }
}

async function judgeAll(tools, cases) {
  const outcomes = new Map()
  for (const one of cases) {
    const { wrong, did } = await judge(tools, one, one.calls, one.calls)
    for (const { says } of wrong) fail(`${one.name}: ${says}`)
    outcomes.set(one.name, did)
  }
  return outcomes
}

// For each mistake, who caught it.
async function plantAll(tools, cases) {
  const catchers = []
  for (const { says, plant = (calls) => calls, redelivery = (calls) => calls } of plants) {
    const by = new Set()
    for (const one of cases.filter(({ name }) => PLANTED_IN.includes(name))) {
      const calls = plant(one.calls)
      const { wrong } = await judge(tools, one, calls, redelivery(calls))
      for (const mistake of wrong) by.add(mistake.by)
    }
    if (by.size === 0) fail(`nobody caught ${says}`)
    catchers.push({ says, by: [...by] })
  }
  return catchers
}

let failures = 0
function fail(text) {
  failures += 1
  console.error(`wrong: ${text}`)
}

async function main([calls, mode]) {
  if (!calls || ![undefined, '--check', '--write'].includes(mode)) throw new Error('judge.js CALLS.ndjson [--check|--write]')
  const modules = process.env.SEGMENT_JUDGE_MODULES
  const load = createRequire(path.join(modules, 'judge.js'))
  offline.install(load)
  const tools = { receiver: new Receiver(load), validators: new Validators(load) }
  const fixtures = path.join(__dirname, '../../fixtures/segment/judged.json')
  const lines = fs.readFileSync(calls, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  const rendered = new Map(lines.map((line) => [line.name, line]))
  const cases = JSON.parse(fs.readFileSync(fixtures, 'utf8')).map((one) => {
    const { calls, events } = rendered.get(one.name)
    return { ...one, events, calls: calls.map(({ call }) => call) }
  })

  const outcomes = await judgeAll(tools, cases)
  const catchers = await plantAll(tools, cases)
  const tables = {
    destinations: table.ofDestinations(destinations, cases, outcomes, (one) => tools.receiver.definition(one).name),
    mistakes: table.ofMistakes(catchers, destinations, (one) => tools.receiver.definition(one).name)
  }
  console.log(`${tables.destinations}\n\n${tables.mistakes}`)
  const judged = cases.reduce((sum, one) => sum + one.calls.length, 0)
  console.log(`\n${judged} calls to ${destinations.length} destinations, and ${plants.length} mistakes: ${failures} wrong`)
  if (mode) table.keep(DOCUMENT, tables, mode === '--write', fail)
  // Clients keep timers.
  process.exit(failures > 0 ? 1 : 0)
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error)
  process.exit(1)
})
