-- The same rows in every database, made from numbers alone: no clock, no chance.

insert into public.profiles (id, full_name, role, city)
select ('a0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
       (array['Awa', 'Moussa', 'Fatou', 'Ibrahima', 'Ndèye'])[1 + n % 5] || ' ' ||
       (array['Diop', 'N''Diaye', 'Fall', 'Sow'])[1 + n % 4],
       case when n <= 4 then 'owner' else 'tenant' end,
       (array['Dakar', 'Thiès', 'Saint-Louis'])[1 + n % 3]
from generate_series(1, 12) n;

insert into public.amenities (id, label) values
  (1, 'Wi-Fi'), (2, 'Groupe électrogène'), (3, 'Vue sur mer'), (4, 'Meublé, "clé en main"');

insert into public.properties (id, title, city, price, status, owner_id, details, updated_at)
select n,
       (array['Villa', 'Studio', 'Chambre', 'Appartement'])[1 + n % 4] || ' n°' || n,
       (array['Dakar', 'Thiès', 'Saint-Louis'])[1 + n % 3],
       50000 + n * 2500,
       case when n % 10 = 0 then 'draft' when n % 7 = 0 then 'rented' else 'published' end,
       ('a0000000-0000-4000-8000-' || lpad((1 + n % 4)::text, 12, '0'))::uuid,
       jsonb_build_object('floor', n % 5, 'note', case when n % 3 = 0 then 'côté, "jardin"' end),
       timestamptz '2020-01-01 09:00:00+00' + n * interval '1 day'
from generate_series(1, 60) n;

insert into public.property_amenities (property_id, amenity_id)
select p, a from generate_series(1, 60) p, generate_series(1, 4) a where (p + a) % 3 = 0;

insert into public.property_energy (property_id, meter)
select n, (array['woyofal', 'postpaid'])[1 + n % 2] from generate_series(1, 30) n;
