#include "tests/query/footprint_text.hpp"
#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

// What well-known benchmarks and frameworks send, with the decision that a person would expect.

struct Query {
    const char* name;
    const char* sql;
    Reason reason;                      ///< none: cacheable
    std::vector<std::string> relations; ///< as reads_of says, of what is cacheable; else as writes_of; no schema

    friend std::ostream& operator<<(std::ostream& out, const Query& row) { return out << row.sql; }
};

/// The tables are in `schema` of the recorded catalog, and that is the session's search_path.
void expect_decision(const Query& query, const std::string& schema)
{
    static Analyzer analyzer{1 << 24};
    const auto scope = test_scope({schema, "public"});
    expect_the_same_by_shape(query.sql, test_catalog(), scope);
    const auto statement = analyzer.analyse(query.sql, test_catalog(), scope, {});
    EXPECT_EQ(name_of(statement->reason), name_of(query.reason)) << statement->why;
    auto footprint = statement->is_cacheable() ? reads_of(*statement) : writes_of(*statement);
    for (auto& relation : footprint)
        if (relation.starts_with(schema + '.'))
            relation.erase(0, schema.size() + 1);
    EXPECT_EQ(footprint, query.relations);
    if (!statement->is_cacheable() && query.reason != Reason::multiple) {
        EXPECT_FALSE(statement->writes_unknown);
    }
}

template <class Suite>
std::string name_of_row(const ::testing::TestParamInfo<Suite>& row)
{
    return row.param.name;
}

class TpcH : public ::testing::TestWithParam<Query> {};
TEST_P(TpcH, IsDecidedAsExpected)
{
    expect_decision(GetParam(), "tpch");
}

INSTANTIATE_TEST_SUITE_P(
    Queries, TpcH,
    ::testing::Values(
        Query{"Q01",
              R"(select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty, sum(l_extendedprice) as sum_base_price,
                   sum(l_extendedprice * (1 - l_discount)) as sum_disc_price,
                   sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge, avg(l_quantity) as avg_qty,
                   avg(l_extendedprice) as avg_price, avg(l_discount) as avg_disc, count(*) as count_order
                 from lineitem where l_shipdate <= date '1998-12-01' - interval '90' day
                 group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus)",
              Reason::none,
              {"lineitem"}},
        Query{"Q02",
              R"(select s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
                 from part, supplier, partsupp, nation, region
                 where p_partkey = ps_partkey and s_suppkey = ps_suppkey and p_size = 15 and p_type like '%BRASS'
                   and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'EUROPE'
                   and ps_supplycost = (
                     select min(ps_supplycost) from partsupp, supplier, nation, region
                     where p_partkey = ps_partkey and s_suppkey = ps_suppkey and s_nationkey = n_nationkey
                       and n_regionkey = r_regionkey and r_name = 'EUROPE')
                 order by s_acctbal desc, n_name, s_name, p_partkey limit 100)",
              Reason::none,
              {"nation", "part", "partsupp", "region", "supplier"}},
        Query{"Q03",
              R"(select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
                 from customer, orders, lineitem
                 where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey
                   and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
                 group by l_orderkey, o_orderdate, o_shippriority order by revenue desc, o_orderdate limit 10)",
              Reason::none,
              {"customer", "lineitem", "orders"}},
        Query{"Q04",
              R"(select o_orderpriority, count(*) as order_count from orders
                 where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-07-01' + interval '3' month
                   and exists (select * from lineitem where l_orderkey = o_orderkey and l_commitdate < l_receiptdate)
                 group by o_orderpriority order by o_orderpriority)",
              Reason::none,
              {"lineitem", "orders"}},
        Query{"Q05",
              R"(select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue
                 from customer, orders, lineitem, supplier, nation, region
                 where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey
                   and c_nationkey = s_nationkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey
                   and r_name = 'ASIA' and o_orderdate >= date '1994-01-01'
                   and o_orderdate < date '1994-01-01' + interval '1' year
                 group by n_name order by revenue desc)",
              Reason::none,
              {"customer", "lineitem", "nation", "orders", "region", "supplier"}},
        Query{"Q06",
              R"(select sum(l_extendedprice * l_discount) as revenue from lineitem
                 where l_shipdate >= date '1994-01-01' and l_shipdate < date '1994-01-01' + interval '1' year
                   and l_discount between .06 - 0.01 and .06 + 0.01 and l_quantity < 24)",
              Reason::none,
              {"lineitem"}},
        Query{"Q07",
              R"(select supp_nation, cust_nation, l_year, sum(volume) as revenue
                 from (select n1.n_name as supp_nation, n2.n_name as cust_nation,
                         extract(year from l_shipdate) as l_year, l_extendedprice * (1 - l_discount) as volume
                       from supplier, lineitem, orders, customer, nation n1, nation n2
                       where s_suppkey = l_suppkey and o_orderkey = l_orderkey and c_custkey = o_custkey
                         and s_nationkey = n1.n_nationkey and c_nationkey = n2.n_nationkey
                         and ((n1.n_name = 'FRANCE' and n2.n_name = 'GERMANY')
                           or (n1.n_name = 'GERMANY' and n2.n_name = 'FRANCE'))
                         and l_shipdate between date '1995-01-01' and date '1996-12-31') as shipping
                 group by supp_nation, cust_nation, l_year order by supp_nation, cust_nation, l_year)",
              Reason::none,
              {"customer", "lineitem", "nation", "orders", "supplier"}},
        Query{"Q08",
              R"(select o_year, sum(case when nation = 'BRAZIL' then volume else 0 end) / sum(volume) as mkt_share
                 from (select extract(year from o_orderdate) as o_year, l_extendedprice * (1 - l_discount) as volume,
                         n2.n_name as nation
                       from part, supplier, lineitem, orders, customer, nation n1, nation n2, region
                       where p_partkey = l_partkey and s_suppkey = l_suppkey and l_orderkey = o_orderkey
                         and o_custkey = c_custkey and c_nationkey = n1.n_nationkey and n1.n_regionkey = r_regionkey
                         and r_name = 'AMERICA' and s_nationkey = n2.n_nationkey
                         and o_orderdate between date '1995-01-01' and date '1996-12-31'
                         and p_type = 'ECONOMY ANODIZED STEEL') as all_nations
                 group by o_year order by o_year)",
              Reason::none,
              {"customer", "lineitem", "nation", "orders", "part", "region", "supplier"}},
        Query{"Q09",
              R"(select nation, o_year, sum(amount) as sum_profit
                 from (select n_name as nation, extract(year from o_orderdate) as o_year,
                         l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount
                       from part, supplier, lineitem, partsupp, orders, nation
                       where s_suppkey = l_suppkey and ps_suppkey = l_suppkey and ps_partkey = l_partkey
                         and p_partkey = l_partkey and o_orderkey = l_orderkey and s_nationkey = n_nationkey
                         and p_name like '%green%') as profit
                 group by nation, o_year order by nation, o_year desc)",
              Reason::none,
              {"lineitem", "nation", "orders", "part", "partsupp", "supplier"}},
        Query{"Q10",
              R"(select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue, c_acctbal, n_name,
                   c_address, c_phone, c_comment
                 from customer, orders, lineitem, nation
                 where c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate >= date '1993-10-01'
                   and o_orderdate < date '1993-10-01' + interval '3' month and l_returnflag = 'R'
                   and c_nationkey = n_nationkey
                 group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
                 order by revenue desc limit 20)",
              Reason::none,
              {"customer", "lineitem", "nation", "orders"}},
        Query{"Q11",
              R"(select ps_partkey, sum(ps_supplycost * ps_availqty) as value from partsupp, supplier, nation
                 where ps_suppkey = s_suppkey and s_nationkey = n_nationkey and n_name = 'GERMANY'
                 group by ps_partkey
                 having sum(ps_supplycost * ps_availqty) > (
                   select sum(ps_supplycost * ps_availqty) * 0.0001 from partsupp, supplier, nation
                   where ps_suppkey = s_suppkey and s_nationkey = n_nationkey and n_name = 'GERMANY')
                 order by value desc)",
              Reason::none,
              {"nation", "partsupp", "supplier"}},
        Query{"Q12",
              R"(select l_shipmode,
                   sum(case when o_orderpriority = '1-URGENT' or o_orderpriority = '2-HIGH' then 1 else 0 end) as high,
                   sum(case when o_orderpriority <> '1-URGENT' and o_orderpriority <> '2-HIGH' then 1 else 0 end) as low
                 from orders, lineitem
                 where o_orderkey = l_orderkey and l_shipmode in ('MAIL', 'SHIP') and l_commitdate < l_receiptdate
                   and l_shipdate < l_commitdate and l_receiptdate >= date '1994-01-01'
                   and l_receiptdate < date '1994-01-01' + interval '1' year
                 group by l_shipmode order by l_shipmode)",
              Reason::none,
              {"lineitem", "orders"}},
        Query{"Q13",
              R"(select c_count, count(*) as custdist
                 from (select c_custkey, count(o_orderkey)
                       from customer left outer join orders on c_custkey = o_custkey
                         and o_comment not like '%special%requests%'
                       group by c_custkey) as c_orders (c_custkey, c_count)
                 group by c_count order by custdist desc, c_count desc)",
              Reason::none,
              {"customer", "orders"}},
        Query{"Q14",
              R"(select 100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0 end)
                   / sum(l_extendedprice * (1 - l_discount)) as promo_revenue
                 from lineitem, part
                 where l_partkey = p_partkey and l_shipdate >= date '1995-09-01'
                   and l_shipdate < date '1995-09-01' + interval '1' month)",
              Reason::none,
              {"lineitem", "part"}},
        Query{"Q15",
              R"(with revenue (supplier_no, total_revenue) as (
                   select l_suppkey, sum(l_extendedprice * (1 - l_discount)) from lineitem
                   where l_shipdate >= date '1996-01-01' and l_shipdate < date '1996-01-01' + interval '3' month
                   group by l_suppkey)
                 select s_suppkey, s_name, s_address, s_phone, total_revenue from supplier, revenue
                 where s_suppkey = supplier_no and total_revenue = (select max(total_revenue) from revenue)
                 order by s_suppkey)",
              Reason::none,
              {"lineitem", "supplier"}},
        Query{"Q16",
              R"(select p_brand, p_type, p_size, count(distinct ps_suppkey) as supplier_cnt from partsupp, part
                 where p_partkey = ps_partkey and p_brand <> 'Brand#45' and p_type not like 'MEDIUM POLISHED%'
                   and p_size in (49, 14, 23, 45, 19, 3, 36, 9)
                   and ps_suppkey not in (select s_suppkey from supplier where s_comment like '%Customer%Complaints%')
                 group by p_brand, p_type, p_size order by supplier_cnt desc, p_brand, p_type, p_size)",
              Reason::none,
              {"part", "partsupp", "supplier"}},
        Query{"Q17",
              R"(select sum(l_extendedprice) / 7.0 as avg_yearly from lineitem, part
                 where p_partkey = l_partkey and p_brand = 'Brand#23' and p_container = 'MED BOX'
                   and l_quantity < (select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey))",
              Reason::none,
              {"lineitem", "part"}},
        Query{"Q18",
              R"(select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
                 from customer, orders, lineitem
                 where o_orderkey in (select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > 300)
                   and c_custkey = o_custkey and o_orderkey = l_orderkey
                 group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
                 order by o_totalprice desc, o_orderdate limit 100)",
              Reason::none,
              {"customer", "lineitem", "orders"}},
        Query{"Q19",
              R"(select sum(l_extendedprice * (1 - l_discount)) as revenue from lineitem, part
                 where (p_partkey = l_partkey and p_brand = 'Brand#12' and p_container in ('SM CASE', 'SM BOX')
                     and l_quantity >= 1 and l_quantity <= 1 + 10 and p_size between 1 and 5
                     and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON')
                   or (p_partkey = l_partkey and p_brand = 'Brand#23' and p_container in ('MED BAG', 'MED BOX')
                     and l_quantity >= 10 and l_quantity <= 10 + 10 and p_size between 1 and 10
                     and l_shipmode in ('AIR', 'AIR REG') and l_shipinstruct = 'DELIVER IN PERSON'))",
              Reason::none,
              {"lineitem", "part"}},
        Query{"Q20",
              R"(select s_name, s_address from supplier, nation
                 where s_suppkey in (
                     select ps_suppkey from partsupp
                     where ps_partkey in (select p_partkey from part where p_name like 'forest%')
                       and ps_availqty > (
                         select 0.5 * sum(l_quantity) from lineitem
                         where l_partkey = ps_partkey and l_suppkey = ps_suppkey and l_shipdate >= date '1994-01-01'
                           and l_shipdate < date '1994-01-01' + interval '1' year))
                   and s_nationkey = n_nationkey and n_name = 'CANADA'
                 order by s_name)",
              Reason::none,
              {"lineitem", "nation", "part", "partsupp", "supplier"}},
        Query{"Q21",
              R"(select s_name, count(*) as numwait from supplier, lineitem l1, orders, nation
                 where s_suppkey = l1.l_suppkey and o_orderkey = l1.l_orderkey and o_orderstatus = 'F'
                   and l1.l_receiptdate > l1.l_commitdate
                   and exists (select * from lineitem l2
                               where l2.l_orderkey = l1.l_orderkey and l2.l_suppkey <> l1.l_suppkey)
                   and not exists (select * from lineitem l3
                                   where l3.l_orderkey = l1.l_orderkey and l3.l_suppkey <> l1.l_suppkey
                                     and l3.l_receiptdate > l3.l_commitdate)
                   and s_nationkey = n_nationkey and n_name = 'SAUDI ARABIA'
                 group by s_name order by numwait desc, s_name limit 100)",
              Reason::none,
              {"lineitem", "nation", "orders", "supplier"}},
        Query{"Q22",
              R"(select cntrycode, count(*) as numcust, sum(c_acctbal) as totacctbal
                 from (select substring(c_phone from 1 for 2) as cntrycode, c_acctbal from customer
                       where substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17')
                         and c_acctbal > (select avg(c_acctbal) from customer
                                          where c_acctbal > 0.00
                                            and substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30'))
                         and not exists (select * from orders where o_custkey = c_custkey)) as custsale
                 group by cntrycode order by cntrycode)",
              Reason::none,
              {"customer", "orders"}},
        Query{"RF1",
              "insert into orders values (7, 1, 'O', 1.5, '1995-01-01', '1-URGENT', 'Clerk#1', 0, 'x')",
              Reason::write,
              {"orders o_orderkey=7"}},
        Query{"RF2",
              "delete from lineitem where l_orderkey = 7",
              Reason::write,
              {"lineitem l_linenumber=* l_orderkey=7"}}),
    name_of_row<Query>);

class TpcC : public ::testing::TestWithParam<Query> {};
TEST_P(TpcC, IsDecidedAsExpected)
{
    expect_decision(GetParam(), "tpcc");
}

INSTANTIATE_TEST_SUITE_P(
    Transactions, TpcC,
    ::testing::Values(
        Query{
            "NewOrderCustomer",
            "SELECT c_discount, c_last, c_credit, w_tax FROM customer, warehouse WHERE w_id = 1 AND c_w_id = w_id AND "
            "c_d_id = 2 AND c_id = 3",
            Reason::none,
            {"customer c_id=3", "warehouse w_id=1"}},
        Query{"NewOrderDistrict",
              "SELECT d_next_o_id, d_tax FROM district WHERE d_id = 2 AND d_w_id = 1 FOR UPDATE",
              Reason::row_lock,
              {}},
        Query{"NewOrderNumber",
              "UPDATE district SET d_next_o_id = 3001 + 1 WHERE d_id = 2 AND d_w_id = 1",
              Reason::write,
              {"district d_id=2 d_w_id=1"}},
        Query{"NewOrderOrder",
              "INSERT INTO orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) VALUES "
              "(3001, 2, 1, 3, '2024-01-02 03:04:05', 10, 1)",
              Reason::write,
              {"orders o_d_id=2 o_id=3001 o_w_id=1"}},
        Query{"NewOrderNew",
              "INSERT INTO new_order (no_o_id, no_d_id, no_w_id) VALUES ($1, $2, $3)",
              Reason::write,
              {"new_order no_d_id=$2 no_o_id=$1 no_w_id=$3"}},
        Query{"NewOrderItem",
              "SELECT i_price, i_name, i_data FROM item WHERE i_id = 4711",
              Reason::none,
              {"item i_id=4711"}},
        Query{"NewOrderStock",
              "SELECT s_quantity, s_data, s_dist_01 FROM stock WHERE s_i_id = 4711 AND s_w_id = 1 FOR UPDATE",
              Reason::row_lock,
              {}},
        Query{"NewOrderStockUpdate",
              "UPDATE stock SET s_quantity = 91 WHERE s_i_id = 4711 AND s_w_id = 1",
              Reason::write,
              {"stock s_i_id=4711 s_w_id=1"}},
        Query{"NewOrderLine",
              "INSERT INTO order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, "
              "ol_amount, ol_dist_info) VALUES (3001, 2, 1, 1, 4711, 1, 5, 12.5, 'x')",
              Reason::write,
              {"order_line ol_d_id=2 ol_number=1 ol_o_id=3001 ol_w_id=1"}},
        Query{"PaymentWarehouse",
              "UPDATE warehouse SET w_ytd = w_ytd + 100.5 WHERE w_id = 1",
              Reason::write,
              {"warehouse w_id=1"}},
        Query{"PaymentWarehouseRead",
              "SELECT w_street_1, w_city, w_state, w_zip, w_name FROM warehouse WHERE w_id = 1",
              Reason::none,
              {"warehouse w_id=1"}},
        Query{"PaymentByName",
              "SELECT c_first, c_middle, c_id FROM customer WHERE c_w_id = 1 AND c_d_id = 2 AND c_last = 'BARBARBAR' "
              "ORDER "
              "BY c_first",
              Reason::none,
              {"customer c_d_id=2"}},
        Query{"PaymentCustomer",
              "UPDATE customer SET c_balance = c_balance - 100.5, c_payment_cnt = c_payment_cnt + 1, c_data = 'x' || "
              "c_data WHERE c_w_id = 1 AND c_d_id = 2 AND c_id = 3",
              Reason::write,
              {"customer c_d_id=2 c_id=3 c_w_id=1"}},
        Query{"PaymentHistory",
              "INSERT INTO history VALUES (3, 2, 1, 2, 1, now(), 100.5, 'x')",
              Reason::write,
              {"history"}},
        Query{"OrderStatus",
              "SELECT o_id, o_carrier_id, o_entry_d FROM orders WHERE o_w_id = 1 AND o_d_id = 2 AND o_c_id = 3 AND "
              "o_id = "
              "(SELECT max(o_id) FROM orders WHERE o_w_id = 1 AND o_d_id = 2 AND o_c_id = 3)",
              Reason::none,
              {"orders o_d_id=2"}},
        Query{"OrderStatusLines",
              "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line WHERE ol_o_id = "
              "3001 "
              "AND ol_d_id = 2 AND ol_w_id = 1",
              Reason::none,
              {"order_line ol_o_id=3001"}},
        Query{
            "DeliveryOldest",
            "SELECT no_o_id FROM new_order WHERE no_d_id = 2 AND no_w_id = 1 ORDER BY no_o_id LIMIT 1 FOR UPDATE SKIP "
            "LOCKED",
            Reason::row_lock,
            {}},
        Query{"DeliveryDelete",
              "DELETE FROM new_order WHERE no_o_id = 3001 AND no_d_id = 2 AND no_w_id = 1",
              Reason::write,
              {"new_order no_d_id=2 no_o_id=3001 no_w_id=1"}},
        Query{"DeliverySum",
              "SELECT sum(ol_amount) FROM order_line WHERE ol_o_id = 3001 AND ol_d_id = 2 AND ol_w_id = 1",
              Reason::none,
              {"order_line ol_o_id=3001"}},
        Query{
            "StockLevel",
            "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = 1 AND ol_d_id = 2 AND ol_o_id < 3001 "
            "AND ol_o_id >= 3001 - 20 AND s_w_id = 1 AND s_i_id = ol_i_id AND s_quantity < 15",
            Reason::none,
            {"order_line ol_d_id=2", "stock s_w_id=1"}}),
    name_of_row<Query>);

class Django : public ::testing::TestWithParam<Query> {};
TEST_P(Django, IsDecidedAsExpected)
{
    expect_decision(GetParam(), "django");
}

INSTANTIATE_TEST_SUITE_P(
    Queries, Django,
    ::testing::Values(
        Query{"GetUser",
              R"(SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."username" FROM
                 "auth_user" WHERE "auth_user"."id" = 1 LIMIT 21)",
              Reason::none,
              {"auth_user id=1"}},
        Query{"GetUserByName",
              R"(SELECT "auth_user"."id" FROM "auth_user" WHERE "auth_user"."username" = 'bob' LIMIT 21)",
              Reason::none,
              {"auth_user username=bob"}},
        Query{
            "Session",
            R"(SELECT "django_session"."session_key", "django_session"."session_data", "django_session"."expire_date" FROM
                 "django_session" WHERE ("django_session"."expire_date" > '2024-01-02T03:04:05.678901+00:00'::timestamptz
                 AND "django_session"."session_key" = '8yo2z') LIMIT 21)",
            Reason::none,
            {"django_session session_key=8yo2z"}},
        Query{
            "SaveSession",
            R"(UPDATE "django_session" SET "session_data" = 'eyJ', "expire_date" = '2024-01-16T03:04:05+00:00'::timestamptz
                 WHERE "django_session"."session_key" = '8yo2z')",
            Reason::write,
            {"django_session session_key=8yo2z"}},
        Query{"Migrations",
              R"(SELECT "django_migrations"."id", "django_migrations"."app", "django_migrations"."name",
                 "django_migrations"."applied" FROM "django_migrations")",
              Reason::none,
              {"django_migrations"}},
        Query{"Count", R"(SELECT COUNT(*) AS "__count" FROM "blog_post")", Reason::none, {"blog_post"}},
        Query{"CountDistinct",
              R"(SELECT COUNT(*) FROM (SELECT DISTINCT "blog_post"."author_id" AS "col1" FROM "blog_post") subquery)",
              Reason::none,
              {"blog_post"}},
        Query{"Exists",
              R"(SELECT 1 AS "a" FROM "blog_post" WHERE "blog_post"."slug" = 'a-slug' LIMIT 1)",
              Reason::none,
              {"blog_post slug=a-slug"}},
        Query{"ExistsSubquery",
              R"(SELECT "auth_user"."id" FROM "auth_user" WHERE EXISTS(SELECT 1 AS "a" FROM "blog_post" U0 WHERE
                 U0."author_id" = ("auth_user"."id") LIMIT 1))",
              Reason::none,
              {"auth_user", "blog_post"}},
        Query{"InBulk",
              R"(SELECT "auth_user"."id" FROM "auth_user" WHERE "auth_user"."id" IN (1, 2, 3))",
              Reason::none,
              {"auth_user id=1|2|3"}},
        Query{"SelectRelated",
              R"(SELECT "blog_post"."id", "blog_post"."title", "auth_user"."id", "auth_user"."username" FROM "blog_post"
                 INNER JOIN "auth_user" ON ("blog_post"."author_id" = "auth_user"."id") WHERE "blog_post"."id" = 5)",
              Reason::none,
              {"auth_user", "blog_post id=5"}},
        Query{"PrefetchManyToMany",
              R"(SELECT ("auth_user_groups"."user_id") AS "_prefetch_related_val_user_id", "auth_group"."id",
                 "auth_group"."name" FROM "auth_group" INNER JOIN "auth_user_groups" ON ("auth_group"."id" =
                 "auth_user_groups"."group_id") WHERE "auth_user_groups"."user_id" IN (1, 2))",
              Reason::none,
              {"auth_group", "auth_user_groups user_id=1|2"}},
        Query{"ReverseJoinByUser",
              R"(SELECT "auth_group"."id" FROM "auth_group" INNER JOIN "auth_user_groups" ON ("auth_group"."id" =
                 "auth_user_groups"."group_id") WHERE "auth_group"."id" = 3)",
              Reason::none,
              {"auth_group id=3", "auth_user_groups group_id=3"}},
        Query{"IExact",
              R"(SELECT "auth_user"."id" FROM "auth_user" WHERE UPPER("auth_user"."email"::text) = UPPER('a@b.c'))",
              Reason::none,
              {"auth_user"}},
        Query{"Year",
              R"(SELECT "blog_post"."id" FROM "blog_post" WHERE "blog_post"."published" BETWEEN
                 '2024-01-01T00:00:00+00:00'::timestamptz AND '2024-12-31T23:59:59.999999+00:00'::timestamptz)",
              Reason::none,
              {"blog_post"}},
        Query{
            "TruncDate",
            R"(SELECT DATE_TRUNC('month', "blog_post"."published" AT TIME ZONE 'UTC') AS "month", COUNT("blog_post"."id")
                 AS "n" FROM "blog_post" GROUP BY 1 ORDER BY 1 ASC)",
            Reason::none,
            {"blog_post"}},
        Query{"JsonKey",
              R"(SELECT "blog_post"."id" FROM "blog_post" WHERE ("blog_post"."meta" -> 'lang') = '"en"'::jsonb)",
              Reason::none,
              {"blog_post"}},
        Query{"FunctionNow",
              R"(SELECT "blog_post"."id" FROM "blog_post" WHERE "blog_post"."published" <= (STATEMENT_TIMESTAMP()))",
              Reason::clock,
              {}},
        Query{"OrderByRandom",
              R"(SELECT "blog_post"."id" FROM "blog_post" ORDER BY RANDOM() ASC LIMIT 1)",
              Reason::volatile_function,
              {}},
        Query{"SelectForUpdate",
              R"(SELECT "blog_post"."id", "blog_post"."views" FROM "blog_post" WHERE "blog_post"."id" = 5 LIMIT 21 FOR
                 UPDATE)",
              Reason::row_lock,
              {}},
        Query{
            "Create",
            R"(INSERT INTO "blog_post" ("title", "slug", "body", "published", "views", "meta", "author_id") VALUES ('T',
                 'a-slug', 'b', NULL, 0, '{}'::jsonb, 1) RETURNING "blog_post"."id")",
            Reason::write,
            {"blog_post id=+ slug=a-slug"}},
        Query{"BulkCreate",
              R"(INSERT INTO "auth_user_groups" ("user_id", "group_id") VALUES (1, 2), (1, 3) ON CONFLICT DO NOTHING)",
              Reason::write,
              {"auth_user_groups group_id=2|3 id=+ user_id=1"}},
        Query{"UpdateOrCreate",
              R"(UPDATE "blog_post" SET "views" = ("blog_post"."views" + 1) WHERE "blog_post"."id" = 5)",
              Reason::write,
              {"blog_post id=5 slug=*"}},
        Query{
            "LastLogin",
            R"(UPDATE "auth_user" SET "last_login" = '2024-01-02T03:04:05+00:00'::timestamptz WHERE "auth_user"."id" = 1)",
            Reason::write,
            {"auth_user id=1 username=*"}},
        Query{"DeleteCollected",
              R"(DELETE FROM "blog_post" WHERE "blog_post"."id" IN (5, 6))",
              Reason::write,
              {"blog_post id=5|6 slug=*"}},
        Query{
            "ClearSessions",
            R"(DELETE FROM "django_session" WHERE "django_session"."expire_date" < '2024-01-02T00:00:00+00:00'::timestamptz)",
            Reason::write,
            {"django_session session_key=*"}},
        Query{"Savepoint", R"(SAVEPOINT "s140_x1")", Reason::transaction_control, {}},
        Query{"ReleaseSavepoint", R"(RELEASE SAVEPOINT "s140_x1")", Reason::transaction_control, {}},
        Query{"TimeZone", "SELECT set_config('TimeZone', 'UTC', false)", Reason::volatile_function, {}},
        Query{"Introspection",
              "SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' "
              "END FROM "
              "pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
              "('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND "
              "pg_catalog.pg_table_is_visible(c.oid)",
              Reason::stable_function,
              {}}),
    name_of_row<Query>);

class Rails : public ::testing::TestWithParam<Query> {};
TEST_P(Rails, IsDecidedAsExpected)
{
    expect_decision(GetParam(), "rails");
}

INSTANTIATE_TEST_SUITE_P(
    Queries, Rails,
    ::testing::Values(
        Query{"Find",
              R"(SELECT "authors".* FROM "authors" WHERE "authors"."id" = 1 LIMIT 1)",
              Reason::none,
              {"authors id=1"}},
        Query{"FindBy",
              R"(SELECT "authors".* FROM "authors" WHERE "authors"."email" = 'a@b.c' LIMIT 1)",
              Reason::none,
              {"authors email=a@b.c"}},
        Query{
            "FindByUuid",
            R"(SELECT "comments".* FROM "comments" WHERE "comments"."id" = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' LIMIT 1)",
            Reason::none,
            {"comments id=a0eebc999c0b4ef8bb6d6bb9bd380a11"}},
        Query{"Includes",
              R"(SELECT "posts".* FROM "posts" WHERE "posts"."author_id" IN (1, 2))",
              Reason::none,
              {"posts"}},
        Query{"IncludesParents",
              R"(SELECT "authors".* FROM "authors" WHERE "authors"."id" IN (1, 2))",
              Reason::none,
              {"authors id=1|2"}},
        Query{"EagerLoad",
              R"(SELECT "authors"."id" AS t0_r0, "posts"."id" AS t1_r0 FROM "authors" LEFT OUTER JOIN "posts" ON
                 "posts"."author_id" = "authors"."id" WHERE "authors"."id" = 1)",
              Reason::none,
              {"authors id=1", "posts"}},
        Query{"Pluck",
              R"(SELECT "authors"."email" FROM "authors" ORDER BY "authors"."id" ASC)",
              Reason::none,
              {"authors"}},
        Query{"Exists",
              R"(SELECT 1 AS one FROM "authors" WHERE "authors"."email" = 'a@b.c' AND "authors"."id" != 1 LIMIT 1)",
              Reason::none,
              {"authors email=a@b.c"}},
        Query{"CountGrouped",
              R"(SELECT COUNT(*) AS "count_all", "posts"."published" AS "posts_published" FROM "posts" GROUP BY
                 "posts"."published")",
              Reason::none,
              {"posts"}},
        Query{"Through",
              R"(SELECT "comments".* FROM "comments" INNER JOIN "posts" ON "comments"."post_id" = "posts"."id" WHERE
                 "posts"."author_id" = 1)",
              Reason::none,
              {"comments", "posts"}},
        Query{
            "SchemaMigrations",
            R"(SELECT "schema_migrations"."version" FROM "schema_migrations" ORDER BY "schema_migrations"."version" ASC)",
            Reason::none,
            {"schema_migrations"}},
        Query{"InternalMetadata",
              R"(SELECT * FROM "ar_internal_metadata" WHERE "ar_internal_metadata"."key" = 'environment' ORDER BY
                 "ar_internal_metadata"."key" ASC LIMIT 1)",
              Reason::none,
              {"ar_internal_metadata key=environment"}},
        Query{
            "Create",
            R"(INSERT INTO "authors" ("email", "name", "posts_count", "created_at", "updated_at", "lock_version") VALUES
                 ('a@b.c', 'A', 0, '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05.678901', 0) RETURNING "id")",
            Reason::write,
            {"authors email=a@b.c id=+"}},
        Query{"Update",
              R"(UPDATE "posts" SET "title" = 'T', "updated_at" = '2024-01-02 03:04:05.678901' WHERE "posts"."id" = 5)",
              Reason::write,
              {"posts id=5"}},
        Query{"OptimisticLock",
              R"(UPDATE "authors" SET "name" = 'B', "lock_version" = 2 WHERE "authors"."id" = 1 AND
                 "authors"."lock_version" = 1)",
              Reason::write,
              {"authors email=* id=1"}},
        Query{"CounterCache",
              R"(UPDATE "authors" SET "posts_count" = COALESCE("posts_count", 0) + 1 WHERE "authors"."id" = 1)",
              Reason::write,
              {"authors email=* id=1"}},
        Query{"Touch",
              R"(UPDATE "posts" SET "updated_at" = CURRENT_TIMESTAMP WHERE "posts"."id" = 5)",
              Reason::write,
              {"posts id=5"}},
        Query{"Destroy",
              R"(DELETE FROM "authors" WHERE "authors"."id" = 1)",
              Reason::write,
              {"authors email=* id=1", "comments id=*", "posts id=*"}}, // by the foreign keys
        Query{
            "Upsert",
            R"(INSERT INTO "authors" ("email","name","created_at","updated_at") VALUES ('a@b.c', 'A', CURRENT_TIMESTAMP,
                 CURRENT_TIMESTAMP) ON CONFLICT ("email") DO UPDATE SET updated_at=(CASE WHEN ("authors"."name" IS NOT
                 DISTINCT FROM excluded."name") THEN "authors".updated_at ELSE CURRENT_TIMESTAMP END),
                 "name"=excluded."name" RETURNING "id")",
            Reason::write,
            {"authors email=a@b.c id=*"}},
        Query{"Lock",
              R"(SELECT "authors".* FROM "authors" WHERE "authors"."id" = 1 LIMIT 1 FOR UPDATE)",
              Reason::row_lock,
              {}},
        Query{"AdvisoryLock", "SELECT pg_try_advisory_lock(2820031456078453425)", Reason::volatile_function, {}},
        Query{
            "SchemaColumns",
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull "
            "FROM "
            "pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attrelid = "
            "'\"authors\"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            Reason::stable_function,
            {}},
        Query{"SchemaTypes",
              "SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM "
              "pg_type as t LEFT JOIN pg_range as r ON oid = rngtypid WHERE t.typname IN ('int2', 'int4')",
              Reason::system_catalog,
              {}},
        Query{"MaxIdentifierLength", "SHOW max_identifier_length", Reason::utility, {}},
        Query{"ClientMinMessages", "SET client_min_messages TO 'warning'", Reason::session_command, {}},
        Query{"Begin", "BEGIN", Reason::transaction_control, {}}),
    name_of_row<Query>);

class Hibernate : public ::testing::TestWithParam<Query> {};
TEST_P(Hibernate, IsDecidedAsExpected)
{
    expect_decision(GetParam(), "hib");
}

INSTANTIATE_TEST_SUITE_P(
    Queries, Hibernate,
    ::testing::Values(
        Query{"FindById",
              "select c1_0.id,c1_0.email,c1_0.name,c1_0.version from customers c1_0 where c1_0.id=7",
              Reason::none,
              {"customers id=7"}},
        Query{"FindByEmail",
              "select c1_0.id,c1_0.email from customers c1_0 where c1_0.email='a@b.c'",
              Reason::none,
              {"customers email=a@b.c"}},
        Query{"JoinFetch",
              "select p1_0.id,c1_0.id,c1_0.name,i1_0.purchase_id,i1_0.id,i1_0.quantity from purchases p1_0 left join "
              "customers c1_0 on c1_0.id=p1_0.customer_id left join purchase_items i1_0 on p1_0.id=i1_0.purchase_id "
              "where "
              "p1_0.id=7",
              Reason::none,
              {"customers", "purchase_items", "purchases id=7"}},
        Query{"Collection",
              "select i1_0.purchase_id,i1_0.id,i1_0.product from purchase_items i1_0 where i1_0.purchase_id=7",
              Reason::none,
              {"purchase_items"}},
        Query{"BatchFetch",
              "select c1_0.id,c1_0.name from customers c1_0 where c1_0.id = any (array[1,2,3])",
              Reason::none,
              {"customers id=1|2|3"}},
        Query{"Page",
              "select c1_0.id from customers c1_0 order by c1_0.name offset 20 rows fetch first 10 rows only",
              Reason::none,
              {"customers"}},
        Query{"CountQuery",
              "select count(p1_0.id) from purchases p1_0 where p1_0.total>100.5 and (select c1_0.version from "
              "customers c1_0 "
              "where c1_0.id=p1_0.customer_id) is not null",
              Reason::none,
              {"customers", "purchases"}},
        Query{"NextIdentifiers", "select nextval('customers_seq')", Reason::volatile_function, {}},
        Query{"PessimisticWrite",
              "select c1_0.id,c1_0.version from customers c1_0 where c1_0.id=7 for no key update",
              Reason::row_lock,
              {}},
        Query{"Insert",
              "insert into customers (email,name,version,id) values ('a@b.c','A',0,7)",
              Reason::write,
              {"customers email=a@b.c id=7"}},
        Query{"BatchInsert",
              "insert into purchase_items (product,purchase_id,quantity,id) values ('x',7,1,51),('y',7,2,52)",
              Reason::write,
              {"purchase_items id=51|52"}},
        Query{"InsertWithParameters",
              "insert into purchase_items (product,purchase_id,quantity,id) values ($1,$2,$3,$4)",
              Reason::write,
              {"purchase_items id=$4"}},
        Query{"VersionedUpdate",
              "update customers set email='b@b.c',name='B',version=1 where id=7 and version=0",
              Reason::write,
              {"customers email=* id=7"}},
        Query{"VersionedUpdateWithParameters",
              "update customers set email=$1,name=$2,version=$3 where id=$4 and version=$5",
              Reason::write,
              {"customers email=* id=$4"}},
        Query{"BulkUpdate",
              "update customers c1_0 set name='x' where c1_0.version>3",
              Reason::write,
              {"customers email=* id=*"}},
        Query{"Delete", "delete from purchases where id=7", Reason::write, {"purchases id=7"}}),
    name_of_row<Query>);

} // namespace
} // namespace pgmemo::query
