-- Other schemas, types with functions, and services (traps 81 and 83).

-- case: trap 81: a table of the same name in another schema
create table todos (id int primary key, title text);
create table public.todos (id int primary key, title text);
grant all on public.todos to anon, authenticated;
insert into todos values (1, 'One');
insert into public.todos values (1, 'Public');
-- read: /todos
-- keeps: PATCH public /todos?id=eq.1 {"title":"Changed"}
-- stale: PATCH /todos?id=eq.1 {"title":"Eins"}

-- case: a view of another schema
create table public.shared_films (id int primary key, title text);
grant all on public.shared_films to anon, authenticated;
create table notes (id int primary key);
create view films as select id, title from public.shared_films;
insert into public.shared_films values (1, 'One');
-- read: /films
-- keeps: POST /notes {"id":9}
-- stale: PATCH public /shared_films?id=eq.1 {"title":"Eins"}

-- case: a type that is shown by a function
create table words (id int primary key, word text);
create table notes (id int primary key);
create domain colour as int;
create function colour_name(colour) returns json language sql stable as
  $$ select to_json(word) from $schema.words where id = $1::int $$;
create cast (colour as json) with function colour_name(colour) as implicit;
create table cars (id int primary key, paint colour);
insert into words values (1, 'red');
insert into cars values (1, 1);
-- read: /cars
-- keeps: POST /notes {"id":9}
-- says: $schema.cars: [$schema.words]

-- case: trap 83: a profile that a sign-up makes
create table members (id uuid primary key, email text);
create table notes (id int primary key);
create function join_in() returns trigger language plpgsql security definer set search_path = $schema as
  $$ begin insert into members values (new.id, new.email); return new; end $$;
create trigger $schema_join after insert on auth.users for each row execute function join_in();
-- read: /members?select=email
-- keeps: POST /notes {"id":9}
-- stale: POST !/auth/v1/signup {"email":"new@example.com","password":"correct horse"}
