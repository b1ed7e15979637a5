/* A C application that carries the signalling itself: the sink opens no port and dials nobody.
 *
 * Here the carrier is standard input and output, one JSON message a line; in a real application it is whatever connects
 * it to the browser already. The messages are those of protocol/src/signalling.rs.
 *
 *   make -C examples/c
 *   echo '{"type":"hello","version":1}' | GST_PLUGIN_PATH=target/release examples/c/own_signalling
 */
#include <gst/gst.h>

static const char CONSUMER[] = "stdin";

/* The sink has something to say to the consumer. */
static void
on_send_signalling (GstElement *sink, const char *id, const char *json, gpointer user_data)
{
  g_print ("%s\n", json);
}

static void
on_consumer_removed (GstElement *sink, const char *id, const char *reason, GMainLoop *loop)
{
  g_printerr ("consumer %s has left: %s\n", id, reason);
  g_main_loop_quit (loop);
}

/* The consumer has said something; the end of the input ends the consumer. */
static gboolean
on_input (GIOChannel *channel, GIOCondition condition, GstElement *sink)
{
  char *line = NULL;
  gsize end = 0;
  gboolean taken = FALSE;

  if (g_io_channel_read_line (channel, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL) {
    g_signal_emit_by_name (sink, "close-consumer", CONSUMER, "the input has ended", &taken);
    return G_SOURCE_REMOVE;
  }
  line[end] = '\0';
  g_signal_emit_by_name (sink, "receive-signalling", CONSUMER, line, &taken);
  if (!taken)
    g_printerr ("not taken: %s\n", line);
  g_free (line);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_bus_message (GstBus *bus, GstMessage *message, GMainLoop *loop)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    GError *error = NULL;
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    g_clear_error (&error);
    g_main_loop_quit (loop);
  }
  return G_SOURCE_CONTINUE;
}

int
main (int argc, char *argv[])
{
  GError *error = NULL;
  gboolean opened = FALSE;

  gst_init (&argc, &argv);
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc is-live=true ! adaptiveencbin ! wswebrtcsink name=web listen=\"\"", &error);
  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "web");
  GstBus *bus = gst_element_get_bus (pipeline);
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);

  gst_bus_add_watch (bus, (GstBusFunc) on_bus_message, loop);
  g_signal_connect (sink, "send-signalling", G_CALLBACK (on_send_signalling), NULL);
  g_signal_connect (sink, "consumer-removed", G_CALLBACK (on_consumer_removed), loop);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);

  g_signal_emit_by_name (sink, "open-consumer", CONSUMER, &opened);
  if (opened) {
    GIOChannel *input = g_io_channel_unix_new (0);
    g_io_add_watch (input, G_IO_IN | G_IO_HUP, (GIOFunc) on_input, sink);
    g_main_loop_run (loop);
    g_io_channel_unref (input);
  }

  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  return opened ? 0 : 1;
}
