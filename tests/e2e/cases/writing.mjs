// Every kind of write; what was cached before it is as new as the database after it.
import { act, write } from '../case.mjs';

// Ann reads what she may see, drafts of her own included; anon sees what is published.
const one = (side) => side.ann.from('properties').select('id,title,price,status').eq('id', 101).maybeSingle();
const list = (side) => side.ann.from('properties').select('id,title,price').eq('city', 'Kaolack').order('id');
const publicList = (side) => side.anon.from('properties').select('id,title').eq('city', 'Kaolack').order('id');
const count = (side) => side.ann.from('properties').select('id', { count: 'exact' }).eq('city', 'Kaolack').limit(1);
const view = (side) => side.anon.from('published_properties').select('id,title').eq('city', 'Kaolack').order('id');
const called = (side) => side.ann.rpc('search_properties', { wanted_city: 'Kaolack' }, { get: true }).select('id,title');
const embeddedInOwner = (side) => side.ann.from('profiles').select('full_name,properties(id,title)').eq('id', side.annId);
const amenities = (side) => side.ann.from('properties').select('id,amenities(id)').eq('id', 101);
const amenityLabels = (side) => side.anon.from('amenities').select().order('id');

const home = (side, id, fields = {}) => ({ id, title: `Maison ${id}`, city: 'Kaolack', price: 1000 * id, status: 'published', owner_id: side.annId, ...fields });
const everywhere = { one, list, publicList, count, view, called, embeddedInOwner };

export const writing = [
  write('insert', {
    sees: { ...everywhere, amenityLabels },
    act: (side) => side.ann.from('properties').insert(home(side, 101)),
    changes: Object.keys(everywhere),
    keeps: ['amenityLabels'],
  }),
  write('insert, with the row returned', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').insert(home(side, 102)).select('id,title,owner_id').single(),
    changes: ['list', 'publicList', 'view', 'called', 'embeddedInOwner'],
  }),
  write('insert of many rows, counted', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').insert([home(side, 103), home(side, 104, { status: 'draft' })], { count: 'exact' }).select('id'),
    changes: ['list', 'publicList', 'count'],
  }),
  write('insert that row-level security refuses', {
    sees: everywhere,
    act: (side) => side.ben.from('properties').insert(home(side, 105)).select(),
  }),
  write('upsert that changes and adds', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').upsert([home(side, 101, { title: 'Maison bleue' }), home(side, 106)]).select('id,title').order('id'),
    changes: Object.keys(everywhere).filter((name) => name !== 'count').concat('count'),
  }),
  write('upsert that ignores duplicates', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').upsert([home(side, 101, { title: 'ignored' }), home(side, 107)], { ignoreDuplicates: true, onConflict: 'id' }),
    changes: ['list'],
  }),
  write('update', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').update({ title: 'Maison verte' }).eq('id', 101),
    changes: ['one', 'list', 'publicList', 'view', 'called', 'embeddedInOwner'],
  }),
  write('update, with rows returned', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').update({ price: 5 }).eq('city', 'Kaolack').lt('id', 104).select('id,price').order('id'),
    changes: ['one', 'list'],
  }),
  write('update that moves a row to another list', {
    sees: { ...everywhere, there: (side) => side.anon.from('properties').select('id').eq('city', 'Mbour').order('id') },
    act: (side) => side.ann.from('properties').update({ city: 'Mbour' }).eq('id', 103).select('id'),
    changes: ['list', 'count', 'view', 'there'],
  }),
  write('update of nothing', {
    sees: everywhere,
    act: (side) => side.ben.from('properties').update({ title: 'taken' }).eq('id', 101).select(),
  }),
  write('a row of the junction between two tables', {
    sees: { amenities },
    act: (side) => side.ann.from('property_amenities').insert({ property_id: 101, amenity_id: 2 }),
    changes: ['amenities'],
  }),
  write('a row out of the junction', {
    sees: { amenities },
    act: (side) => side.ann.from('property_amenities').delete().eq('property_id', 101).eq('amenity_id', 2),
    changes: ['amenities'],
  }),
  write('a booking by a function', {
    sees: { visits: (side) => side.ann.from('visit_bookings').select('property_id,slot,status').order('id'), amenityLabels },
    act: (side) => side.ann.rpc('book_visit', { property: 101, at: '2024-06-01T10:00:00Z' }),
    changes: ['visits'],
    keeps: ['amenityLabels'],
  }),
  write('a POST to a function that only reads', {
    sees: everywhere,
    act: (side) => side.ann.rpc('search_properties', { wanted_city: 'Kaolack', max_price: 200000 }).select('id'),
    keeps: Object.keys(everywhere),
  }),
  act('functions that return one value', async (side) => [
    await side.anon.rpc('count_published'), await side.anon.rpc('count_published', {}, { get: true }),
    await side.anon.rpc('count_published', {}, { head: true }), await side.anon.rpc('nonsense'),
  ]),
  write('delete', {
    sees: everywhere,
    act: (side) => side.ann.from('properties').delete().eq('id', 102),
    changes: ['list', 'publicList', 'count', 'view', 'called', 'embeddedInOwner'],
  }),
  write('delete, with rows returned, and what hangs on them', {
    sees: { ...everywhere, visits: (side) => side.ann.from('visit_bookings').select('property_id').order('id') },
    act: (side) => side.ann.from('properties').delete({ count: 'exact' }).eq('id', 101).select('id,title'),
    changes: ['one', 'list', 'visits'],
  }),
  write('payments, which no cache keeps', {
    act: (side) => side.ann.from('rental_payments').insert({ id: 1, payer_id: side.annId, amount: 100 }).select(),
  }),
];
