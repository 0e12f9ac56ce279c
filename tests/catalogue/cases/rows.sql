-- One changed row among others (traps 70 to 72, 82, 90 to 93).

-- case: another row keeps the hit
create table films (id int primary key, title text);
insert into films values (1, 'One'), (2, 'Two');
-- read: /films?id=eq.1
-- keeps: PATCH /films?id=eq.2 {"title":"Zwei"}
-- keeps: DELETE /films?id=eq.2
-- stale: PATCH /films?id=eq.1 {"title":"Eins"}

-- case: traps 70 and 71: a row that moves
create table tasks (id int primary key, owner uuid unique, title text);
insert into tasks values (5, 'a0000000-0000-4000-8000-000000000001', 'One');
-- read: /tasks?owner=eq.a0000000-0000-4000-8000-000000000002
-- stale: PATCH /tasks?id=eq.5 {"owner":"a0000000-0000-4000-8000-000000000002"}
-- stale: PATCH /tasks?id=eq.5 {"owner":"a0000000-0000-4000-8000-000000000003"}

-- case: trap 72: a write to every row
create table films (id int primary key, title text);
insert into films values (1, 'One'), (2, 'Two');
-- read: /films?id=eq.1
-- stale: PATCH /films?id=gt.0 {"title":"Same"}

-- case: trap 82: a row that is replaced
create table films (id int primary key, title text);
insert into films values (1, 'One'), (2, 'Two');
-- read: /films?id=eq.1
-- keeps: PUT /films?id=eq.2 {"id":2,"title":"Zwei"}
-- stale: POST+merge /films {"id":1,"title":"Eins"}

-- case: trap 92: a number in another spelling
create table films (id int primary key, title text);
insert into films values (7, 'Seven'), (8, 'Eight');
-- read: /films?id=eq.007
-- keeps: PATCH /films?id=eq.8 {"title":"Acht"}
-- stale: PATCH /films?id=eq.7 {"title":"Sieben"}

-- case: trap 93: texts that are equal in any case
create extension if not exists citext with schema public;
create table people (email public.citext primary key, name text);
insert into people values ('A@x.io', 'Ann');
-- read: /people?email=eq.A@x.io
-- stale: PATCH /people?email=eq.a@x.io {"name":"Cy"}

-- case: trap 91: a column that is set to nothing
create table tasks (id int primary key, deleted_at timestamptz);
insert into tasks values (1, null);
-- read: /tasks?deleted_at=is.null
-- stale: PATCH /tasks?id=eq.1 {"deleted_at":"2026-01-01T00:00:00Z"}

-- case: a key that a trigger rewrites
create table tags (name text primary key, n int);
create function small() returns trigger language plpgsql as $$ begin new.name := lower(new.name); return new; end $$;
create trigger small before insert or update on tags for each row execute function small();
-- read: /tags?name=eq.one
-- stale: POST /tags {"name":"ONE","n":1}

-- case: a key that the database makes up
create table links (id int primary key, slug text generated always as ('s' || id) stored unique);
insert into links values (1);
-- read: /links?slug=eq.s2
-- stale: POST /links {"id":2}

-- case: a row that a trigger touches, and no other
create table films (id int primary key, title text, changed timestamptz);
create function touch() returns trigger language plpgsql as $$ begin new.changed = now(); return new; end $$;
create trigger touch before update on films for each row execute function touch();
insert into films values (1, 'One'), (2, 'Two');
-- read: /films?id=eq.1
-- keeps: PATCH /films?id=eq.2 {"title":"Zwei"}
-- stale: PATCH /films?id=eq.1 {"title":"Eins"}

-- case: several rows by name
create table films (id int primary key, title text);
insert into films values (1, 'One'), (2, 'Two'), (3, 'Three');
-- read: /films?id=in.(1,2)&order=id
-- keeps: PATCH /films?id=eq.3 {"title":"Drei"}
-- stale: PATCH /films?id=eq.2 {"title":"Zwei"}

-- case: trap 90: names that differ only in case
create table todos (id int primary key, title text);
create table "Todos" (id int primary key, title text);
insert into todos values (1, 'small');
insert into "Todos" values (1, 'great');
-- read: /todos
-- keeps: PATCH /Todos?id=eq.1 {"title":"greater"}
-- stale: PATCH /todos?id=eq.1 {"title":"smaller"}

-- case: a table with a blank in its name
create table "B c" (id int primary key, "Ti tle" text);
create table notes (id int primary key);
insert into "B c" values (1, 'One');
-- read: /B%20c
-- keeps: POST /notes {"id":9}
-- stale: PATCH /B%20c?id=eq.1 {"Ti tle":"Eins"}
