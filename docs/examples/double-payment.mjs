// A rent is paid once, however often the button is clicked, and even if the answer is lost.
//
//   larder demo --listen 127.0.0.1:8080
//   node docs/examples/double-payment.mjs http://127.0.0.1:8080
//
// Any proxy with the rules of rules.yaml does; set SUPABASE_ANON_KEY where its upstream asks for a key.
// The rule at work is `payment-guarded`: idempotency: { header: Idempotency-Key, keep: 24h }

import { randomUUID } from 'node:crypto'

const larder = (process.argv[2] ?? 'http://127.0.0.1:8080') + '/rest/v1/rental_payments'
const key = process.env.SUPABASE_ANON_KEY
const headers = {
  'content-type': 'application/json',
  prefer: 'return=representation',
  ...(key && { apikey: key, authorization: `Bearer ${key}` }),
}

const rent = { lease_id: 7, payer_id: 20, payee_id: 1, amount: 250000, due_date: '2031-05-01' }
const operation = randomUUID() // made when the form opens, the same for every try

async function pay(what, amount = rent.amount) {
  const body = JSON.stringify({ ...rent, amount })
  const answer = await fetch(larder, { method: 'POST', headers: { ...headers, 'idempotency-key': operation }, body })
  const said = await answer.json()
  const isReplay = answer.headers.get('idempotent-replayed') === 'true'
  const outcome = answer.ok ? `payment ${said[0].id}${isReplay ? ', the answer from before' : ''}` : `${said.code}, ${said.message}`
  console.log(`${what}: ${answer.status} ${outcome}`)
  return { status: answer.status, isReplay, payment: answer.ok ? said[0].id : undefined }
}

console.log('The button is clicked twice.')
const clicks = await Promise.all([pay('first click'), pay('second click')])
const paid = clicks.find(({ status }) => status === 201)

console.log('The answer is lost on the way, so the app tries again with the same key.')
const again = await pay('another try')

console.log('Somebody changes the amount, and leaves the key as it is.')
const other = await pay('another amount', 1)

const rows = await (await fetch(`${larder}?lease_id=eq.7&due_date=eq.${rent.due_date}`, { headers })).json()
console.log(`Payments of that rent: ${rows.length}`)

await fetch(`${larder}?lease_id=eq.7&due_date=eq.${rent.due_date}`, { method: 'DELETE', headers })
const isRight = [
  clicks.filter(({ status, isReplay }) => status === 201 && !isReplay).length === 1,
  again.isReplay && again.payment === paid?.payment,
  other.status === 422,
  rows.length === 1,
].every(Boolean)
console.log(isRight ? 'Paid once.' : 'That is not what should have happened.')
process.exitCode = isRight ? 0 : 1
