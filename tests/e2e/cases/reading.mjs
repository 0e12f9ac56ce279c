// Everything that supabase-js reads with, on tables that the rules cache.
import { read } from '../case.mjs';

const homes = (side) => side.anon.from('properties');

export const reading = [
  read('the whole table', (side) => homes(side).select().order('id')),
  read('filters', (side) => homes(side).select('id,title,price').eq('city', 'Dakar').gte('price', 80000).lt('price', 150000).order('id')),
  read('filters on text', (side) => homes(side).select('id').ilike('title', 'villa%').not('city', 'in', '("Thiès","Saint-Louis")').order('id')),
  read('filters on JSON', (side) => homes(side).select('id,details->>note').eq('details->>floor', '3').order('id')),
  read('or', (side) => homes(side).select('id').or('price.lt.60000,and(city.eq.Thiès,price.gt.180000)').order('id')),
  read('order', (side) => homes(side).select('id,price,city').order('city', { ascending: false }).order('price', { nullsFirst: true })),
  read('limit', (side) => homes(side).select('id').order('id').limit(3)),
  read('range', (side) => homes(side).select('id').order('id').range(10, 14)),
  read('a Range header', (side) => side.raw('/rest/v1/properties?select=id&order=id', { headers: { range: '5-9', 'range-unit': 'items' } })),
  read('another Range header', (side) => side.raw('/rest/v1/properties?select=id&order=id', { headers: { range: '0-1', 'range-unit': 'items' } })),
  read('count exact', (side) => homes(side).select('id', { count: 'exact' }).order('id').range(0, 4)),
  read('count exact without rows', (side) => homes(side).select('*', { count: 'exact', head: true }).eq('city', 'Dakar'), 'pass head'),
  read('count of an empty answer', (side) => homes(side).select('id', { count: 'exact' }).eq('city', 'Nowhere')),
  read('one row', (side) => homes(side).select('id,title,city').eq('id', 5).single()),
  read('one row that is not there', (side) => homes(side).select('id').eq('id', 4711).single(), 'unkept status'),
  read('maybe one row', (side) => homes(side).select('id,title').eq('id', 6).maybeSingle()),
  read('maybe one row that is not there', (side) => homes(side).select('id').eq('id', 4711).maybeSingle()),
  read('csv', (side) => homes(side).select('id,title,city').order('id').limit(5).csv()),
  read('a view', (side) => side.anon.from('published_properties').select().order('id').limit(10)),
  read('letters beyond ASCII', (side) => homes(side).select('title').eq('city', 'Thiès').order('id').limit(2)),
  read('a table that no rule names', (side) => side.anon.from('property_energy').select().order('property_id'), 'pass no-rule'),
  read('a column that is not there', (side) => homes(side).select('nonsense'), 'unkept status'),
  read('a table that is not there', (side) => side.anon.from('nonsense').select(), 'pass no-rule'),

  read('an embed: many to one', (side) => homes(side).select('id,profiles(full_name)').order('id').limit(5)),
  read('an embed under another name', (side) => homes(side).select('id,owner:profiles(full_name,city)').eq('id', 7)),
  read('an embed: one to many', (side) => side.anon.from('profiles').select('full_name,properties(id,title)').order('id').limit(4)),
  read('an embed: many to many', (side) => homes(side).select('id,amenities(label)').order('id').limit(6)),
  read('an embed: one to one', (side) => homes(side).select('id,property_energy(meter)').order('id').limit(3)),
  read('embeds within embeds', (side) => side.anon.from('profiles').select('full_name,properties(id,amenities(label))').order('id').limit(2)),
  read('an inner join', (side) => homes(side).select('id,amenities!inner(id)').eq('amenities.id', 3).order('id')),
  read('ordered and limited embeds', (side) => side.anon.from('profiles').select('id,properties(id)').order('id')
    .order('price', { referencedTable: 'properties', ascending: false }).limit(2, { referencedTable: 'properties' }).limit(3)),
  read('a count of an embed', (side) => side.anon.from('profiles').select('id,properties(count)').order('id')),
];
