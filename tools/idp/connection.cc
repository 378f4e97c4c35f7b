#include "tools/idp/connection.h"

#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>

namespace idp {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

constexpr std::chrono::seconds kIdleTimeout{30};
constexpr uint32_t kHeaderBytesMax = 8 << 10;
constexpr uint64_t kBodyBytesMax = 64 << 10;

std::string Text(boost::beast::string_view s) { return std::string(s.data(), s.size()); }

Request ToRequest(const http::request<http::string_body>& message) {
  const std::string target = Text(message.target());
  return {Text(message.method_string()), target.substr(0, target.find('?')), message.body(),
          Text(message[http::field::authorization]), Text(message[http::field::if_none_match])};
}

std::string HeaderText(const Response& response, bool keep_alive) {
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " + Text(reason) + "\r\n";
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  if (response.status != 304) {
    add("Content-Type", response.content_type);
    add("Content-Length", std::to_string(response.body.size()));
  }
  for (const auto& [name, value] : response.headers) add(name, value);
  if (!keep_alive) add("Connection", "close");
  return head + "\r\n";
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Handler handler, OnEnd on_end)
    : stream_(std::move(socket)),
      timer_(stream_.get_executor()),
      handler_(std::move(handler)),
      on_end_(std::move(on_end)) {}

void Connection::Close() {
  error_code ignored;
  timer_.cancel();
  stream_.socket().close(ignored);
}

bool Connection::IsOver(const error_code& error) { return error || !stream_.socket().is_open(); }

void Connection::Read() {
  parser_.emplace();
  parser_->header_limit(kHeaderBytesMax);
  parser_->body_limit(kBodyBytesMax);
  stream_.expires_after(kIdleTimeout);
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
    if (self->IsOver(error)) return self->End();
    self->keep_alive_ = self->parser_->get().keep_alive();
    self->delivery_ = self->handler_(ToRequest(self->parser_->get()));
    self->Deliver();
  });
}

void Connection::Deliver() {
  stream_.expires_never();
  if (delivery_.never) return WaitForClientToClose();
  if (delivery_.truncate) keep_alive_ = false;
  if (delivery_.delay.count() == 0) return Write();
  timer_.expires_after(delivery_.delay);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (self->IsOver(error)) return self->End();
    self->Write();
  });
}

void Connection::Write() {
  const std::string& body = delivery_.response.body;
  const bool byte_by_byte = delivery_.per_byte.count() > 0;
  out_ = HeaderText(delivery_.response, keep_alive_);
  if (!byte_by_byte) out_.append(body, 0, delivery_.truncate ? body.size() / 2 : body.size());
  stream_.expires_after(kIdleTimeout);
  asio::async_write(stream_, asio::buffer(out_),
                    [self = shared_from_this(), byte_by_byte](error_code error, size_t) {
                      if (self->IsOver(error)) return self->End();
                      self->stream_.expires_never();
                      byte_by_byte ? self->WriteByteByByte(0) : self->NextOrEnd();
                    });
}

void Connection::WriteByteByByte(size_t at) {
  if (at == delivery_.response.body.size()) return NextOrEnd();
  timer_.expires_after(delivery_.per_byte);
  timer_.async_wait([self = shared_from_this(), at](error_code timer_error) {
    if (self->IsOver(timer_error)) return self->End();
    asio::async_write(self->stream_, asio::buffer(self->delivery_.response.body.data() + at, 1),
                      [self, at](error_code error, size_t) {
                        if (self->IsOver(error)) return self->End();
                        self->WriteByteByByte(at + 1);
                      });
  });
}

void Connection::WaitForClientToClose() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(512), [self = shared_from_this()](error_code error, size_t) {
    if (self->IsOver(error)) return self->End();
    self->WaitForClientToClose();
  });
}

void Connection::NextOrEnd() { keep_alive_ ? Read() : End(); }

void Connection::End() {
  error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  Close();
  on_end_(shared_from_this());
}

}  // namespace idp
