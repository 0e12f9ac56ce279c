// Two people, one visit: who books first has it, and the other is told so.
//
//   larder demo --listen 127.0.0.1:8080
//   node docs/examples/booking.mjs http://127.0.0.1:8080
//
// Any proxy with the rules of rules.yaml does; set SUPABASE_ANON_KEY where its upstream asks for a key.
// The rule at work is `visit-guarded`: lock: { key: "visit:{property_id}", hold: 30s, busy: reject }

const larder = (process.argv[2] ?? 'http://127.0.0.1:8080') + '/rest/v1/visit_bookings'
const key = process.env.SUPABASE_ANON_KEY
const headers = {
  'content-type': 'application/json',
  prefer: 'return=representation',
  ...(key && { apikey: key, authorization: `Bearer ${key}` }),
}

const property = 299
const slot = '2031-05-04T10:00:00Z'
const free = `?property_id=eq.${property}&slot=eq.${slot}`

async function book(name, visitor) {
  const body = JSON.stringify({ property_id: property, visitor_id: visitor, host_id: 1, slot })
  const answer = await fetch(larder, { method: 'POST', headers, body })
  const said = await answer.json()
  console.log(`${name}: ${answer.status} ${answer.ok ? `booked, number ${said[0].id}` : `${said.code}, ${said.message}`}`)
  return answer.ok
}

async function bookings() {
  const answer = await fetch(larder + free, { headers })
  console.log(`  (${answer.headers.get('cache-status')})`)
  return answer.json()
}

console.log(`Awa and Moussa look at property ${property}: is ${slot} free?`)
console.log(`Bookings of it: ${(await bookings()).length}`)

console.log('Both click at the same moment.')
const booked = await Promise.all([book('Awa', 21), book('Moussa', 22)])

console.log('The one who was refused looks again. The answer from before is gone, because somebody has booked:')
const found = await bookings()
console.log(`Bookings of it: ${found.length}`)

await fetch(larder + free, { method: 'DELETE', headers })
const isRight = booked.filter(Boolean).length === 1 && found.length === 1
console.log(isRight ? 'One visit, one booking.' : 'That is not what should have happened.')
process.exitCode = isRight ? 0 : 1
