-- What an embed's name may stand for (traps 74, 75, 76).

-- case: trap 74: a table, under an alias
create table buyers (id int primary key, name text);
create table purchases (id int primary key, buyer_id int references buyers);
create table notes (id int primary key);
insert into buyers values (1, 'Ann'), (2, 'Bo');
insert into purchases values (1, 1);
-- read: /purchases?select=*,buyer:buyers(*)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /buyers?id=eq.1 {"name":"Cy"}

-- case: a foreign key's column
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into customers values (1, 'Ann');
insert into orders values (1, 1);
-- read: /orders?select=id,customer_id(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /customers?id=eq.1 {"name":"Cy"}

-- case: trap 76: a constraint
create table addresses (id int primary key, city text);
create table orders (id int primary key, billing_id int constraint billing references addresses,
  shipping_id int constraint shipping references addresses);
create table notes (id int primary key);
insert into addresses values (1, 'Dakar'), (2, 'Thies');
insert into orders values (1, 1, 2);
-- read: /orders?select=id,billing(city)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /addresses?id=eq.1 {"city":"Mbour"}

-- case: a table and a constraint
create table addresses (id int primary key, city text);
create table orders (id int primary key, billing_id int constraint billing references addresses,
  shipping_id int constraint shipping references addresses);
create table notes (id int primary key);
insert into addresses values (1, 'Dakar'), (2, 'Thies');
insert into orders values (1, 1, 2);
-- read: /orders?select=id,addresses!shipping(city)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /addresses?id=eq.2 {"city":"Mbour"}

-- case: a table and a column
create table addresses (id int primary key, city text);
create table orders (id int primary key, billing_id int constraint billing references addresses,
  shipping_id int constraint shipping references addresses);
create table notes (id int primary key);
insert into addresses values (1, 'Dakar'), (2, 'Thies');
insert into orders values (1, 1, 2);
-- read: /orders?select=id,addresses!billing_id(city)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /addresses?id=eq.1 {"city":"Mbour"}

-- case: trap 75: a junction that no URL shows
create table actors (id int primary key, name text);
create table films (id int primary key, title text);
create table roles (actor_id int references actors, film_id int references films, primary key (actor_id, film_id));
create table notes (id int primary key);
insert into actors values (1, 'Ann');
insert into films values (1, 'One'), (2, 'Two');
insert into roles values (1, 1);
-- read: /actors?select=name,films(title)
-- keeps: POST /notes {"id":9}
-- stale: POST /roles {"actor_id":1,"film_id":2}
-- stale: PATCH /films?id=eq.1 {"title":"Uno"}
-- stale: DELETE /roles?film_id=eq.2

-- case: a junction as a hint
create table actors (id int primary key, name text);
create table films (id int primary key, title text);
create table roles (actor_id int references actors, film_id int references films, primary key (actor_id, film_id));
create table notes (id int primary key);
insert into actors values (1, 'Ann');
insert into films values (1, 'One'), (2, 'Two');
insert into roles values (1, 1);
-- read: /actors?select=name,films!roles(title)
-- keeps: POST /notes {"id":9}
-- stale: POST /roles {"actor_id":1,"film_id":2}

-- case: the many of a one
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into customers values (1, 'Ann');
insert into orders values (1, 1);
-- read: /customers?select=name,orders(id)
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":2,"customer_id":1}

-- case: one to one
create table houses (id int primary key, name text);
create table meters (house_id int primary key references houses, maker text);
create table notes (id int primary key);
insert into houses values (1, 'A'), (2, 'B');
insert into meters values (1, 'woyofal');
-- read: /houses?select=name,meters(maker)&order=id
-- keeps: POST /notes {"id":9}
-- stale: POST /meters {"house_id":2,"maker":"itron"}

-- case: an embed within an embed
create table cities (id int primary key, name text);
create table customers (id int primary key, city_id int references cities);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into cities values (1, 'Dakar');
insert into customers values (1, 1);
insert into orders values (1, 1);
-- read: /orders?select=id,customers(id,cities(name))
-- keeps: POST /notes {"id":9}
-- stale: PATCH /cities?id=eq.1 {"name":"Thies"}

-- case: an embed within an embed that a constraint names
create table cities (id int primary key, name text);
create table addresses (id int primary key, city_id int references cities);
create table orders (id int primary key, billing_id int constraint billing references addresses);
create table notes (id int primary key);
insert into cities values (1, 'Dakar');
insert into addresses values (1, 1);
insert into orders values (1, 1);
-- read: /orders?select=id,billing(id,cities(name))
-- keeps: POST /notes {"id":9}
-- stale: PATCH /cities?id=eq.1 {"name":"Thies"}

-- case: a table's own parent, by column
create table employees (id int primary key, name text, boss_id int references employees);
create table notes (id int primary key);
insert into employees values (1, 'Ann', null), (2, 'Bo', 1);
-- read: /employees?id=eq.2&select=name,boss_id(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /employees?id=eq.1 {"name":"Cy"}

-- case: a table's own children
create table employees (id int primary key, name text, boss_id int references employees);
create table notes (id int primary key);
insert into employees values (1, 'Ann', null), (2, 'Bo', 1);
-- read: /employees?id=eq.1&select=name,employees(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /employees?id=eq.2 {"name":"Cy"}

-- case: an embed that leaves rows out
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into customers values (1, 'Ann'), (2, 'Bo');
insert into orders values (1, 1), (2, 2);
-- read: /orders?select=id,customers!inner(name)&customers.name=eq.Ann
-- keeps: POST /notes {"id":9}
-- stale: PATCH /customers?id=eq.2 {"name":"Ann"}

-- case: an embed that is spread
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into customers values (1, 'Ann');
insert into orders values (1, 1);
-- read: /orders?select=id,...customers(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /customers?id=eq.1 {"name":"Cy"}

-- case: a key of two columns
create table seats (line int, number int, class text, primary key (line, number));
create table tickets (id int primary key, line int, number int, foreign key (line, number) references seats);
create table notes (id int primary key);
insert into seats values (1, 1, 'first');
insert into tickets values (1, 1, 1);
-- read: /tickets?select=id,seats(class)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /seats?line=eq.1&number=eq.1 {"class":"second"}

-- case: only counted
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into customers values (1, 'Ann');
insert into orders values (1, 1);
-- read: /customers?select=name,orders(count)
-- keeps: POST /notes {"id":9}
-- stale: POST /orders {"id":2,"customer_id":1}

-- case: only ordered by
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
insert into customers values (1, 'Ann'), (2, 'Bo');
insert into orders values (1, 1), (2, 2);
-- read: /orders?select=id,customers(name)&order=customers(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /customers?id=eq.1 {"name":"Zoe"}

-- case: from a view to a table
create table view_customers (id int primary key, name text);
create table view_orders (id int primary key, customer_id int references view_customers);
create table notes (id int primary key);
create view open_orders as select id, customer_id from view_orders;
insert into view_customers values (1, 'Ann');
insert into view_orders values (1, 1);
-- read: /open_orders?select=id,view_customers(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /view_customers?id=eq.1 {"name":"Cy"}
-- stale: POST /view_orders {"id":2,"customer_id":1}

-- case: from a table to a view
create table hidden_customers (id int primary key, name text);
create table shown_orders (id int primary key, customer_id int references hidden_customers);
create table notes (id int primary key);
create view customer_cards as select id, name from hidden_customers;
insert into hidden_customers values (1, 'Ann');
insert into shown_orders values (1, 1);
-- read: /shown_orders?select=id,customer_cards(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /hidden_customers?id=eq.1 {"name":"Cy"}

-- case: from a view of a view to a table
create table chain_customers (id int primary key, name text);
create table chain_orders (id int primary key, customer_id int references chain_customers);
create table notes (id int primary key);
create view chain_inner as select id, customer_id from chain_orders;
create view chain_outer as select id, customer_id from chain_inner;
insert into chain_customers values (1, 'Ann');
insert into chain_orders values (1, 1);
-- read: /chain_outer?select=id,chain_customers(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /chain_customers?id=eq.1 {"name":"Cy"}

-- case: a function that leads to rows
create table authors (id int primary key, name text);
create table books (id int primary key, author int, title text);
create table notes (id int primary key);
create function best_books(authors) returns setof books language sql stable as
  $$ select * from books where author = $1.id $$;
insert into authors values (1, 'Ann');
insert into books values (1, 1, 'One');
-- read: /authors?select=name,best_books(title)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /books?id=eq.1 {"title":"Uno"}

-- case: a function that leads to rows by way of a third table
create table authors (id int primary key, name text);
create table books (id int primary key, title text);
create table awards (author int, book int, primary key (author, book));
create table notes (id int primary key);
create function awarded(authors) returns setof books language sql stable as
  $$ select b.* from books b join awards a on a.book = b.id where a.author = $1.id $$;
insert into authors values (1, 'Ann');
insert into books values (1, 'One'), (2, 'Two');
insert into awards values (1, 1);
-- read: /authors?select=name,awarded(title)
-- keeps: POST /notes {"id":9}
-- stale: POST /awards {"author":1,"book":2}

-- case: from a function's rows
create table customers (id int primary key, name text);
create table orders (id int primary key, customer_id int references customers);
create table notes (id int primary key);
create function recent_orders() returns setof orders language sql stable as $$ select * from orders $$;
insert into customers values (1, 'Ann');
insert into orders values (1, 1);
-- read: /rpc/recent_orders?select=id,customers(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /customers?id=eq.1 {"name":"Cy"}
-- stale: POST /orders {"id":2,"customer_id":1}
