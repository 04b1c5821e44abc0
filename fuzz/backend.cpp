// Messages of a server, which may be anybody's too: the first byte is the type, the rest the body.

#include "fuzz/target.hpp"

#include "wire/backend.hpp"

using namespace pgmemo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const fuzz::Input body{fuzz::text_of(data + 1, size - 1)};
    switch (data[0]) {
    case 'Z':
        if (const auto status = wire::decode_ready_for_query(body.view()))
            fuzz::held(*status == wire::Status::idle || *status == wire::Status::in_transaction ||
                           *status == wire::Status::failed,
                       "a status is one of three");
        break;
    case 'S':
        if (const auto parameter = wire::decode_parameter_status(body.view())) {
            body.lends(parameter->name);
            body.lends(parameter->value);
        }
        break;
    case 'K':
        if (const auto key = wire::decode_backend_key_data(body.view()))
            body.lends(key->secret);
        break;
    case 'D':
        if (const auto row = wire::decode_data_row(body.view())) {
            fuzz::held(row->size() * 4 <= size, "columns are in the message");
            for (const auto& column : *row)
                body.lends(column.value_or(std::string_view{}));
        }
        break;
    default:
        if (const auto error = wire::decode_error(body.view())) {
            body.lends(error->severity);
            body.lends(error->sqlstate);
            body.lends(error->message);
        }
    }
    return 0;
}
