// The server's stored trees (pg_node_tree), as text.

#include "fuzz/target.hpp"

#include "query/tree.hpp"

#include <algorithm>

using namespace pgmemo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const fuzz::Input text{fuzz::text_of(data, size)};
    const auto tree = query::read_tree(text.view(), 16384);
    for (const auto* oids : {&tree.functions, &tree.operators, &tree.types})
        fuzz::held(std::is_sorted(oids->begin(), oids->end()), "lists are sorted");
    for (const auto& output : tree.outputs)
        fuzz::held(output.relation < tree.relations.size(), "an output is a column of a relation that is listed");
    return 0;
}
