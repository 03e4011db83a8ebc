// Replaces everything that could reach a network, before any destination is loaded.
'use strict'

const http = require('http')
const https = require('https')
const net = require('net')

const refuse = (what) => () => {
  throw new Error(`the judge is offline: ${what}`)
}

let answer = null
let requests = []

// Says how requests are answered from now on; what is asked is kept until `taken`.
function listen(respond) {
  answer = respond
  requests = []
}

function taken() {
  const all = requests
  requests = []
  return all
}

async function fakeFetch(Response, input, init) {
  const request = typeof input === 'string' || input instanceof URL ? { url: String(input), ...init } : input
  const text = typeof request.text === 'function' ? await request.text() : request.body
  const method = (request.method ?? 'GET').toUpperCase()
  const asked = { method, url: request.url, body: parsed(text) }
  requests.push(asked)
  const { status = 200, body = {} } = answer?.(asked) ?? {}
  return new Response(typeof body === 'string' ? body : JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json' }
  })
}

function parsed(text) {
  if (text === undefined || text === null || text === '') return null
  const string = String(text)
  try {
    return JSON.parse(string)
  } catch {
    return Object.fromEntries(new URLSearchParams(string))
  }
}

// Puts the replacement in the place of the module that the destinations' request client loads.
function install(require) {
  const path = require.resolve('cross-fetch')
  const real = require('cross-fetch')
  const fetch = (input, init) => fakeFetch(real.Response, input, init)
  Object.assign(fetch, { fetch, default: fetch, Headers: real.Headers, Request: real.Request, Response: real.Response })
  require.cache[path].exports = fetch
  globalThis.fetch = (input, init) => fakeFetch(globalThis.Response, input, init)
  net.Socket.prototype.connect = refuse('a connection')
  http.request = http.get = https.request = https.get = refuse('a request')
}

module.exports = { install, listen, taken }
