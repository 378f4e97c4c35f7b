#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "tools/idp/endpoints.h"

namespace idp {

// Delivery is a response and the way in which it goes, or does not go, over the wire.
struct Delivery {
  Response response{};
  bool never = false;                     // keep the connection open and say nothing
  bool truncate = false;                  // send half of the announced body, then close
  std::chrono::milliseconds delay{0};     // before the first byte
  std::chrono::milliseconds per_byte{0};  // before each byte of the body
};

// Connection serves one client, request after request, until either side closes. Owner thread only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Handler = std::function<Delivery(const Request&)>;
  using OnEnd = std::function<void(const std::shared_ptr<Connection>&)>;

  Connection(boost::asio::ip::tcp::socket socket, Handler handler, OnEnd on_end);

  void Start() { Read(); }
  void Close();  // drops the connection without on_end

 private:
  // IsOver is also true after Close for a step that was complete already, its handler waiting to run.
  bool IsOver(const boost::beast::error_code& error);
  void Read();
  void Deliver();
  void Write();
  void WriteByteByByte(size_t at);
  void WaitForClientToClose();
  void NextOrEnd();
  void End();

  boost::beast::tcp_stream stream_;
  boost::asio::steady_timer timer_;
  Handler handler_;
  OnEnd on_end_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Delivery delivery_;
  std::string out_;
  bool keep_alive_ = false;
};

}  // namespace idp
